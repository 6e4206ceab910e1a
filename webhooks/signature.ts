import { createHmac } from 'node:crypto'

/** What is signed besides the body. Neither may have a full stop in it. */
export interface MessageIdentity {
  /** The same with each try. */
  readonly id: string
  /** Of this try: receivers refuse old ones, against replays. */
  readonly timestampSeconds: number
}

/** The headers of Standard Webhooks (https://www.standardwebhooks.com), with a signature for each secret. */
export function signatureHeaders(
  secrets: readonly string[],
  { id, timestampSeconds }: MessageIdentity,
  body: string,
): Record<string, string> {
  const content = `${id}.${timestampSeconds}.${body}`
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': secrets.map((secret) => `v1,${signatureOf(secret, content)}`).join(' '),
  }
}

function signatureOf(secret: string, content: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return createHmac('sha256', key).update(content).digest('base64')
}
