import { Client, Connection } from '@temporalio/client'
import type { Config } from '../config/config.ts'

export function temporalAddress(config: Config): string {
  return `${config.temporal.host}:${config.temporal.port}`
}

/** One client per process. It connects when it is first used, so that a process can start before its server. */
export function createTemporalClient(config: Config): Client {
  const connection = Connection.lazy({ address: temporalAddress(config) })
  return new Client({ connection, namespace: config.temporal.namespace })
}
