import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { secretFingerprint, webhookSecret } from '../../webhooks/secret.ts'
import { signatureHeaders } from '../../webhooks/signature.ts'

const IDENTITY = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1_614_265_330 }
const BODY = '{"test": 2432232314}'

test("the signature is the one of Standard Webhooks' published example", () => {
  expect(signatureHeaders(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], IDENTITY, BODY)).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

test('a receiver verifies with the new secret and with the one before, and with no other', () => {
  const key = randomBytes(32)
  const [old, current, other] = [1, 2, 3].map((generation) => webhookSecret(key, 'a', generation))
  const identity = { id: 'msg_a_1', timestampSeconds: Math.floor(Date.now() / 1000) }
  const body = '{"type":"operation.ended","data":{"name":"żółw"}}'
  const headers = signatureHeaders([current ?? '', old ?? ''], identity, body)
  for (const secret of [current, old])
    expect(new Webhook(secret ?? '').verify(body, headers)).toEqual(JSON.parse(body))
  expect(() => new Webhook(other ?? '').verify(body, headers)).toThrow('No matching signature')
  expect(() => new Webhook(current ?? '').verify(`${body} `, headers)).toThrow('No matching signature')
})

test('each key, webhook and generation has a secret of its own, of 32 bytes', () => {
  const [one, two] = [randomBytes(32), randomBytes(32)]
  const secrets = [
    webhookSecret(one, 'a', 1),
    webhookSecret(one, 'a', 2),
    webhookSecret(one, 'b', 1),
    webhookSecret(two, 'a', 1),
  ]
  expect(new Set(secrets).size).toBe(4)
  expect(new Set(secrets.map(secretFingerprint)).size).toBe(4)
  for (const secret of secrets) expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  expect(webhookSecret(one, 'a', 1)).toBe(secrets[0])
})
