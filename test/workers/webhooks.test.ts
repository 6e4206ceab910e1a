import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import { webhookRules } from '../../workers/webhooks.ts'
import { tempDir } from '../support/temp-dir.ts'

test('by default webhooks go to public addresses over https alone', async () => {
  const { checkUrl } = await webhookRules(await loadConfig(await tempDir(), {}))
  expect(checkUrl('https://example.org/hook')).toBe('https://example.org/hook')
  for (const url of ['http://example.org/', 'https://127.0.0.1/', 'https://localhost/', 'https://10.1.2.3/'])
    expect(() => checkUrl(url)).toThrow(/operator sets webhooks/)
})

test('the environment allows more, and what is no network is refused at the start', async () => {
  const folder = await tempDir()
  const environment = {
    VOLFLOW_WEBHOOKS_ALLOW_HTTP: 'true',
    VOLFLOW_WEBHOOKS_ALLOWED_NETWORKS: '[10.1.0.0/16, "fd00:1::/32"]',
    VOLFLOW_WEBHOOKS_KEY_FILE: 'elsewhere/webhook.key',
  }
  const config = await loadConfig(folder, environment)
  expect(config.webhooks.keyFile).toBe(join(folder, 'elsewhere/webhook.key'))
  const { checkUrl } = await webhookRules(config)
  expect(checkUrl('http://10.1.2.3/')).toBe('http://10.1.2.3/')
  expect(checkUrl('http://[fd00:1::7]/')).toBe('http://[fd00:1::7]/')
  expect(() => checkUrl('http://10.2.0.1/')).toThrow('private')
  const wrong = loadConfig(folder, { VOLFLOW_WEBHOOKS_ALLOWED_NETWORKS: '[10.1.0.0/99]' })
  await expect(wrong).rejects.toThrow('webhooks.allowedNetworks[0]')
})

test('all processes with the key derive the same secrets', async () => {
  const config = await loadConfig(await tempDir(), {})
  const [one, two] = await Promise.all([webhookRules(config), webhookRules(config)])
  expect(one.secretOf('a', 1)).toEqual(two.secretOf('a', 1))
  const elsewhere = await webhookRules(await loadConfig(await tempDir(), {}))
  expect(elsewhere.secretOf('a', 1)).not.toEqual(one.secretOf('a', 1))
})
