import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'

export interface ReceivedMessage {
  readonly id: string
  readonly type: string
  readonly timestamp: string
  readonly data: { readonly id?: number; readonly [field: string]: unknown }
  /** Whether the signature is right, as the published library of Standard Webhooks sees it. */
  readonly isGenuine: boolean
  readonly headers: IncomingMessage['headers']
}

type Reply = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string
  /** Everything that came, whatever was answered. */
  readonly received: ReceivedMessage[]
  /** What those got that were answered with 2xx. */
  readonly taken: ReceivedMessage[]
  /** With which signatures are checked. */
  secret: string
  /** Called for each message; default: 204. Undefined: it never answers. */
  answer: (message: ReceivedMessage) => Reply | undefined
  /** The port stays its own: `open` listens there again. */
  close(): Promise<void>
  open(): Promise<void>
}

/** A receiver as a user would write one, which also remembers what came. */
export async function startWebhookReceiver(host = '127.0.0.1'): Promise<WebhookReceiver> {
  let port = 0
  let server = createServer()
  const receiver: WebhookReceiver = {
    get url() {
      return `http://${host}:${port}/hook`
    },
    received: [],
    taken: [],
    secret: '',
    answer: () => ({ status: 204 }),
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
    open: async () => {
      server = createServer((request, response) => {
        void readMessage(request, receiver.secret).then((message) => {
          receiver.received.push(message)
          const reply = receiver.answer(message)
          if (reply === undefined) return
          if (reply.status >= 200 && reply.status < 300) receiver.taken.push(message)
          response.writeHead(reply.status, reply.headers).end(reply.body)
        })
      })
      server.listen(port, host)
      await once(server, 'listening')
      port = (server.address() as AddressInfo).port
    },
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await receiver.close()
    },
  }
  await receiver.open()
  return receiver
}

async function readMessage(request: IncomingMessage, secret: string): Promise<ReceivedMessage> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks).toString('utf8')
  const { headers } = request
  const fields = JSON.parse(body) as Pick<ReceivedMessage, 'type' | 'timestamp' | 'data'>
  return { ...fields, id: String(headers['webhook-id']), isGenuine: verify(secret, body, headers), headers }
}

function verify(secret: string, body: string, headers: IncomingMessage['headers']): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>)
    return true
  } catch {
    return false
  }
}
