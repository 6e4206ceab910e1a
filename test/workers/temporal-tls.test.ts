import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import { createLogger } from '../../workers/logger.ts'
import { connectWorker, createTemporalClient } from '../../workers/temporal-connection.ts'
import { sharedTemporal } from '../support/shared-temporal.ts'
import { tempDir } from '../support/temp-dir.ts'
import { SERVER_NAME, startTlsProxy } from './tls-proxy.ts'

test('clients and workers prove who they are with a certificate and an API key', async () => {
  const folder = await tempDir()
  const { port, seen } = await startTlsProxy(await sharedTemporal(), folder)
  await writeFile(join(folder, 'api.key'), 'the-key\n')
  const environment = {
    VOLFLOW_TEMPORAL_PORT: String(port),
    VOLFLOW_TEMPORAL_API_KEY_FILE: 'api.key',
    VOLFLOW_TEMPORAL_TLS_CA_FILE: 'ca.pem',
    VOLFLOW_TEMPORAL_TLS_CERT_FILE: 'client.pem',
    VOLFLOW_TEMPORAL_TLS_KEY_FILE: 'client.key',
    VOLFLOW_TEMPORAL_TLS_SERVER_NAME: SERVER_NAME,
  }
  const config = await loadConfig(folder, environment)
  const known = { clientName: 'volflow', authorization: 'Bearer the-key' }

  const client = await createTemporalClient(config)
  await client.workflowService.describeNamespace({ namespace: 'default' })
  await client.connection.close()
  expect(new Set(seen.map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(known)]))

  seen.splice(0)
  const waiting = { logger: createLogger('test'), signal: AbortSignal.timeout(20_000) }
  const connection = await connectWorker(config, waiting)
  await connection.workflowService.describeNamespace({ namespace: 'default' })
  await connection.close()
  expect(new Set(seen.map((one) => JSON.stringify(one)))).toEqual(new Set([JSON.stringify(known)]))

  // A server with another name is not ours.
  const other = await loadConfig(folder, {
    ...environment,
    VOLFLOW_TEMPORAL_TLS_SERVER_NAME: 'other.example.org',
  })
  const stranger = { logger: createLogger('test'), signal: AbortSignal.timeout(1_000) }
  await expect(connectWorker(other, stranger)).rejects.toThrow('Stopped while waiting for Temporal')
})
