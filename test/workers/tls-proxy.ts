import { connect, createSecureServer, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { makeCertificates } from '../support/certificates.ts'

export const SERVER_NAME = 'temporal.example.org'

/** What a server that wants to know its clients got to know. */
export interface Seen {
  readonly clientName: string | undefined
  readonly authorization: string | undefined
}

/** TLS with client certificates in front of a Temporal server, which has none itself. It ends with the test. */
export async function startTlsProxy(
  address: string,
  folder: string,
): Promise<{ port: number; seen: Seen[] }> {
  await makeCertificates(folder, SERVER_NAME)
  const seen: Seen[] = []
  const upstream = connect(`http://${address}`)
  const file = (name: string) => readFile(join(folder, name))
  const server = createSecureServer({
    ca: await file('ca.pem'),
    cert: await file('server.pem'),
    key: await file('server.key'),
    requestCert: true,
    rejectUnauthorized: true,
  })
  server.on('stream', (stream, headers) => {
    const socket = stream.session?.socket as TLSSocket | undefined
    const clientName = socket?.getPeerCertificate().subject.CN
    seen.push({ clientName: String(clientName), authorization: headers.authorization })
    const request = upstream.request({ ...headers, ':scheme': 'http', ':authority': address })
    let trailers: IncomingHttpHeaders = {}
    request.on('response', (answer) => stream.respond(answer, { waitForTrailers: true }))
    request.on('trailers', (those) => (trailers = those))
    stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.on('error', () => request.destroy())
    stream.pipe(request).pipe(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    upstream.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, seen }
}
