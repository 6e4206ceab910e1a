import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { searchPath } from '../../scripts/setup/locate.ts'
import { listen } from './free-port.ts'
import { startTemporalServer, type TemporalServer } from './temporal-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Parent of every temporary folder of this run. */
    scratchFolder: string
    /** Answers with the address of the run's Temporal server, which the first question starts. */
    temporalBrokerUrl: string
  }
}

/** Once per run, in the process that outlives the test workers: what they share, and its removal. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env.PATH = searchPath().join(delimiter)
  const scratchFolder = await mkdtemp(join(tmpdir(), 'volflow-test-'))
  const broker = await startTemporalBroker()
  project.provide('scratchFolder', scratchFolder)
  project.provide('temporalBrokerUrl', broker.url)
  return async () => {
    await broker.stop()
    await rm(scratchFolder, { recursive: true, force: true })
  }
}

/** Most test files need no Temporal server, so it is started by the first that asks. */
async function startTemporalBroker(): Promise<{ url: string; stop(): Promise<void> }> {
  let temporal: Promise<TemporalServer> | undefined
  const http = createServer((_request, response) => {
    temporal ??= startTemporalServer()
    temporal.then(
      ({ address }) => response.end(address),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  const port = await listen(http)
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      http.closeAllConnections()
      http.close()
      const server = await temporal?.catch(() => undefined)
      await server?.stop()
    },
  }
}
