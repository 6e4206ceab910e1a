import type { HttpRequest, PageFilter, RequestOptions } from './http.ts'
import type {
  CreateWebhookInput,
  RetryWebhookInput,
  RotateWebhookSecretInput,
  UpdateWebhookInput,
  Webhook,
  WebhookDelivery,
  WebhookDeliveryPage,
  WebhookPage,
  WebhookSecret,
} from './types.ts'

export interface WebhookFilter extends PageFilter {
  readonly name?: string
}

/** `client.webhooks`: URLs that are told what happens. */
export class WebhookClient {
  readonly #json: <T>(request: HttpRequest) => Promise<T>

  constructor(json: <T>(request: HttpRequest) => Promise<T>) {
    this.#json = json
  }

  /** Answers with the secret, too, which nothing else does. */
  create(webhook: CreateWebhookInput, options?: RequestOptions): Promise<WebhookSecret> {
    return this.#json({ method: 'POST', path: '/webhooks', json: webhook, ...options })
  }

  list(filter: WebhookFilter = {}, options?: RequestOptions): Promise<WebhookPage> {
    return this.#json({ method: 'GET', path: '/webhooks', query: { ...filter }, ...options })
  }

  show(id: string, options?: RequestOptions): Promise<Webhook> {
    return this.#json({ method: 'GET', path: pathOf(id), ...options })
  }

  update(id: string, change: UpdateWebhookInput, options?: RequestOptions): Promise<Webhook> {
    return this.#json({ method: 'PATCH', path: pathOf(id), json: change, ...options })
  }

  /** Answers with what it was. */
  delete(id: string, options?: RequestOptions): Promise<Webhook> {
    return this.#json({ method: 'DELETE', path: pathOf(id), ...options })
  }

  /** Delivers now what waits, or goes on behind another event; enables the webhook. */
  retry(id: string, retry: RetryWebhookInput = {}, options?: RequestOptions): Promise<Webhook> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/retry`, json: retry, ...options })
  }

  /** The new secret; the old one is honoured for as long as is said. */
  rotateSecret(
    id: string,
    rotate: RotateWebhookSecretInput = {},
    options?: RequestOptions,
  ): Promise<WebhookSecret> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/rotate-secret`, json: rotate, ...options })
  }

  /** Has a test message sent; `showDelivery` tells its outcome. */
  test(id: string, options?: RequestOptions): Promise<WebhookDelivery> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/test`, ...options })
  }

  /** Tries to deliver, newest first. */
  listDeliveries(
    id: string,
    page: { readonly limit?: number; readonly before?: number } = {},
    options?: RequestOptions,
  ): Promise<WebhookDeliveryPage> {
    return this.#json({ method: 'GET', path: `${pathOf(id)}/deliveries`, query: { ...page }, ...options })
  }

  showDelivery(id: string, number: number, options?: RequestOptions): Promise<WebhookDelivery> {
    return this.#json({ method: 'GET', path: `${pathOf(id)}/deliveries/${number}`, ...options })
  }
}

function pathOf(id: string): string {
  return `/webhooks/${encodeURIComponent(id)}`
}
