import { expect, test } from 'vitest'
import { LIMITS } from '../../domain/limits.ts'
import { webhookRetryMs } from '../../domain/webhooks.ts'

test('tries are a second apart at first and ten minutes at most, each up to a quarter sooner', () => {
  const delays = Array.from({ length: 12 }, (_, n) => webhookRetryMs(n + 1, 1) / 1000)
  expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
  expect(webhookRetryMs(1_000_000, 1)).toBe(600_000)
  expect([webhookRetryMs(1, 0), webhookRetryMs(3, 0), webhookRetryMs(50, 0)]).toEqual([750, 3000, 450_000])
})

test('a webhook is given up before the events that it missed are removed', () => {
  expect(LIMITS.webhookFailureMaxMs).toBeLessThan(LIMITS.eventAgeMaxMs)
  expect(LIMITS.webhookLeaseMs).toBeGreaterThan(LIMITS.webhookRequestMs + LIMITS.webhookSaveMs)
})
