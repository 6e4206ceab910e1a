import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { listen } from '../../scripts/ports.ts'

/**
 * An S3 server as there were many: it does not know If-None-Match, and overwrites. Everything else is passed on to a real one as it
 * is; such a PUT is signed anew, because the header is part of the signature.
 */
export async function startForgetfulS3(
  upstream: string,
  credentialsFile: string,
): Promise<{ endpoint: string; stop(): void }> {
  const credentials = JSON.parse(await readFile(credentialsFile, 'utf8')) as {
    accessKeyId: string
    secretAccessKey: string
  }
  const client = new S3Client({ endpoint: upstream, region: 'us-east-1', credentials, forcePathStyle: true })
  const server = createServer((incoming, answer) => {
    const isConditional = incoming.method === 'PUT' && incoming.headers['if-none-match'] !== undefined
    const done = isConditional ? overwrite(client, incoming, answer) : passOn(upstream, incoming, answer)
    done.catch(() => answer.destroy())
  })
  const endpoint = `http://127.0.0.1:${await listen(server)}`
  const stop = () => {
    client.destroy()
    server.close()
    server.closeAllConnections()
  }
  return { endpoint, stop }
}

async function overwrite(client: S3Client, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
  const [, bucket = '', ...key] = new URL(incoming.url ?? '/', 'http://any').pathname.split('/')
  const body = await buffer(incoming)
  const { ETag = '' } = await client.send(
    new PutObjectCommand({ Bucket: bucket, Key: key.map(decodeURIComponent).join('/'), Body: body }),
  )
  answer.writeHead(200, { etag: ETag }).end()
}

async function passOn(upstream: string, incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
  const body = await buffer(incoming)
  const { method, headers } = incoming
  const outgoing = request(new URL(incoming.url ?? '/', upstream), { method, headers })
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  answer.writeHead(response.statusCode ?? 502, response.headers)
  await pipeline(response, answer)
}
