import type { WebhookRules } from '../api/dependencies.ts'
import { eventView } from '../api/native/views.ts'
import type { Config } from '../config/config.ts'
import { loadWebhookKey } from '../config/secrets.ts'
import type { Database } from '../database/open.ts'
import { WebhookDeliverer } from '../webhooks/deliverer.ts'
import { Destinations } from '../webhooks/destinations.ts'
import { secretFingerprint, webhookSecret } from '../webhooks/secret.ts'
import type { Waiting } from './wait-for.ts'

/** What the API needs to know of URLs and secrets. */
export async function webhookRules({ webhooks }: Pick<Config, 'webhooks'>): Promise<WebhookRules> {
  const key = await loadWebhookKey(webhooks.keyFile)
  const destinations = new Destinations(webhooks)
  return {
    checkUrl: (url) => destinations.checkUrl(url).href,
    secretOf: (id, generation) => {
      const secret = webhookSecret(key, id, generation)
      return { secret, fingerprint: secretFingerprint(secret) }
    },
  }
}

/** Sends events as the API shows them. */
export async function openDeliverer(
  { webhooks }: Config,
  { database, logger, signal }: Waiting & { readonly database: Database },
): Promise<WebhookDeliverer> {
  const key = await loadWebhookKey(webhooks.keyFile)
  const destinations = new Destinations(webhooks)
  return new WebhookDeliverer({ database, key, destinations, view: eventView }, logger, signal)
}
