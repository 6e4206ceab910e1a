import { Connection } from '@temporalio/client'
import { SEARCH_ATTRIBUTES } from '../../domain/search-attributes.ts'
import { startServer, type ServerProcess } from './server-process.ts'
import { acceptsConnections, freePort } from '../../scripts/ports.ts'

export interface TemporalServer extends ServerProcess {
  /** `127.0.0.1:PORT` */
  readonly address: string
}

export interface TemporalServerOptions {
  /** Without one, everything is lost when the server ends. */
  readonly dbFile?: string
  /** Given when a killed server shall come back at the same address. */
  readonly port?: number
  /** Without one there is no Web UI. */
  readonly uiPort?: number
}

/** A dev server of its own, for tests that kill it. Most tests want `sharedTemporal` instead. */
export async function startTemporalServer(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  let address = ''
  const server = await startServer(async () => {
    const port = options.port ?? (await freePort())
    address = `127.0.0.1:${port}`
    return {
      program: 'temporal',
      args: ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), ...flags(options)],
      isReady: async () => (await acceptsConnections(port)) && (await isRegistered(address)),
    }
  })
  return { ...server, address }
}

function flags({ dbFile, uiPort }: TemporalServerOptions): string[] {
  return [
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
    ...(dbFile === undefined ? [] : ['--db-filename', dbFile]),
    ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    '--dynamic-config-value=matching.enableFairness=true',
    '--dynamic-config-value=frontend.enableServerVersionCheck=false',
    '--log-level=error',
  ]
}

/** The port is open before namespace and search attributes exist. */
async function isRegistered(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 1_000 }).catch(() => undefined)
  if (connection === undefined) return false
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: 'default',
    })
    return SEARCH_ATTRIBUTES.every((name) => customAttributes[name] !== undefined)
  } catch {
    return false
  } finally {
    await connection.close()
  }
}
