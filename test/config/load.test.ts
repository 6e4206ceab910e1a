import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import { tempDir } from '../support/temp-dir.ts'

test('the environment comes before the file, and the file before the defaults', async () => {
  const folder = await tempDir()
  await writeFile(join(folder, 'volflow.yaml'), 'temporal: { host: one.example.org, namespace: storage }')
  const { temporal, api } = await loadConfig(folder, {
    VOLFLOW_TEMPORAL_HOST: 'two.example.org',
    VOLFLOW_API_PORT: '9000',
    VOLFLOW_API_ALLOWED_HOSTS: '[a.example.org, b.example.org]',
  })
  expect(temporal).toMatchObject({ host: 'two.example.org', port: 7233, namespace: 'storage' })
  expect(api).toMatchObject({ port: 9000, allowedHosts: ['a.example.org', 'b.example.org'] })
})

test('VOLFLOW_CONFIG names the file, and files that it names are relative to the data folder', async () => {
  const folder = await tempDir()
  const file = join(folder, 'elsewhere.yaml')
  await writeFile(file, 'temporal: { apiKeyFile: keys/temporal }')
  const { temporal, dataFolder } = await loadConfig('/srv/volflow', {
    VOLFLOW_CONFIG: file,
    VOLFLOW_TEMPORAL_TLS_CA_FILE: 'ca.pem',
    VOLFLOW_TEMPORAL_TLS_SERVER_NAME: 'temporal.example.org',
  })
  expect(dataFolder).toBe('/srv/volflow')
  expect(temporal).toMatchObject({
    apiKeyFile: '/srv/volflow/keys/temporal',
    tls: { caFile: '/srv/volflow/ca.pem', serverName: 'temporal.example.org' },
  })
})

test('what is wrong is named, wherever it comes from', async () => {
  const folder = await tempDir()
  await expect(loadConfig(folder, { VOLFLOW_TEMPORAL_PORT: 'many' })).rejects.toThrow('temporal.port')
  await expect(loadConfig(folder, { VOLFLOW_TEMPORAL_TLS_KEY_FILE: 'a' })).rejects.toThrow(
    'certFile and keyFile go together',
  )
  const missing = join(folder, 'missing.yaml')
  await expect(loadConfig(folder, { VOLFLOW_CONFIG: missing })).rejects.toThrow(`${missing} to be readable`)
  await writeFile(join(folder, 'volflow.yaml'), 'temporal: 7233')
  await expect(loadConfig(folder, { VOLFLOW_TEMPORAL_PORT: '7233' })).rejects.toThrow('temporal')
})
