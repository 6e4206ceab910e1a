import { readFile } from 'node:fs/promises'
import { Client, Connection } from '@temporalio/client'
import type { TLSConfig } from '@temporalio/common/lib/internal-non-workflow/index.js'
import { NativeConnection } from '@temporalio/worker'
import type { Config } from '../config/config.ts'
import { readSecret } from '../config/secrets.ts'
import { waitFor, type Waiting } from './wait-for.ts'

interface ConnectionOptions {
  readonly address: string
  readonly tls?: TLSConfig
  readonly apiKey?: string
}

export function temporalAddress(config: Config): string {
  return `${config.temporal.host}:${config.temporal.port}`
}

/** One client per process. It connects when it is first used, so that a process can start before its server. */
export async function createTemporalClient(config: Config): Promise<Client> {
  const connection = await createConnection(config)
  return new Client({ connection, namespace: config.temporal.namespace })
}

/** As lazy, for what concerns the server rather than workflows. */
export async function createConnection(config: Config): Promise<Connection> {
  return Connection.lazy(await connectionOptions(config))
}

/** The connection of a worker. Waits for the server; throws when it does not come, or does not want us. */
export async function connectWorker(config: Config, waiting: Waiting): Promise<NativeConnection> {
  const options = await connectionOptions(config)
  return waitFor(`Temporal at ${options.address}`, () => NativeConnection.connect(options), waiting)
}

async function connectionOptions(config: Config): Promise<ConnectionOptions> {
  const { tls, apiKeyFile } = config.temporal
  const address = temporalAddress(config)
  // An API key never crosses the network in the clear.
  if (tls === undefined && apiKeyFile === undefined) return { address }
  return {
    address,
    tls: await tlsOptions(tls ?? {}),
    ...(apiKeyFile !== undefined && { apiKey: await readSecret(apiKeyFile) }),
  }
}

async function tlsOptions({
  caFile,
  certFile,
  keyFile,
  serverName,
}: NonNullable<Config['temporal']['tls']>): Promise<TLSConfig> {
  return {
    ...(serverName !== undefined && { serverNameOverride: serverName }),
    ...(caFile !== undefined && { serverRootCACertificate: await readFile(caFile) }),
    ...(certFile !== undefined &&
      keyFile !== undefined && {
        clientCertPair: { crt: await readFile(certFile), key: await readFile(keyFile) },
      }),
  }
}
