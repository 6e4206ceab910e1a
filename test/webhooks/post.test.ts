import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS } from '../../domain/limits.ts'
import { Destinations } from '../../webhooks/destinations.ts'
import { type HostAddress, Poster, type ResolveHost } from '../../webhooks/post.ts'
import { makeCertificates } from '../support/certificates.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startWebhookReceiver } from '../support/webhook-receiver.ts'

const never = new AbortController().signal

/** May reach one address of this machine, which has many. */
const ONE_ADDRESS = new Destinations({ allowHttp: true, allowedNetworks: ['127.0.0.2/32'] })

function poster(url: string, resolveHost?: ResolveHost): Poster {
  const made = new Poster(url, ONE_ADDRESS, resolveHost)
  onTestFinished(() => made.close())
  return made
}

const v4 = (address: string): HostAddress => ({ address, family: 4 })

test('a name that resolves to another address from question to question leads nowhere but to the address that was checked', async () => {
  await using wanted = await startWebhookReceiver('127.0.0.2')
  const { port } = new URL(wanted.url)
  const secretService = createServer((_request, response) => response.end('secret')).listen(
    Number(port),
    '127.0.0.1',
  )
  onTestFinished(() => void secretService.close())
  let hits = 0
  secretService.on('request', () => (hits += 1))
  await once(secretService, 'listening')
  const answers = [[v4('127.0.0.2')], [v4('127.0.0.1')], [v4('127.0.0.1'), v4('127.0.0.2')]]
  const asked: string[] = []
  const rebinding: ResolveHost = async (name) => {
    asked.push(name)
    return answers.shift() ?? []
  }
  const url = `http://rebinding.example:${port}/hook`
  const first = poster(url, rebinding)
  expect(await first.post('{}', {}, never)).toMatchObject({ statusCode: 204 })
  // The connection is kept: nothing is asked again, and nothing else is connected to.
  expect(await first.post('{}', {}, never)).toMatchObject({ statusCode: 204 })
  expect(asked).toEqual(['rebinding.example'])
  await expect(poster(url, rebinding).post('{}', {}, never)).rejects.toThrow(
    'expected rebinding.example to have a public address, got one of another kind: loopback',
  )
  // Of several addresses those are left out that were not allowed.
  expect(await poster(url, rebinding).post('{}', {}, never)).toMatchObject({ statusCode: 204 })
  expect(wanted.received).toHaveLength(3)
  expect(hits).toBe(0)
})

test('a name that resolves to this machine leads nowhere', async () => {
  await using receiver = await startWebhookReceiver()
  const { port } = new URL(receiver.url)
  const destinations = new Destinations({ allowHttp: true, allowedNetworks: [] })
  const made = new Poster(`http://inside.example:${port}/`, destinations, async () => [v4('127.0.0.1')])
  onTestFinished(() => made.close())
  await expect(made.post('{}', {}, never)).rejects.toThrow('loopback')
  expect(receiver.received).toEqual([])
})

test('over TLS the receiver proves its name, whatever address that has', async () => {
  const folder = await tempDir()
  await makeCertificates(folder, 'hooks.example.org')
  const file = (name: string) => readFile(join(folder, name), 'utf8')
  let requests = 0
  const server = createSecureServer(
    { cert: await file('server.pem'), key: await file('server.key') },
    (request, response) => {
      requests += 1
      request.resume()
      response.writeHead(204).end()
    },
  )
  server.listen(0, '127.0.0.2')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const post = (name: string) =>
    poster(`https://${name}:${port}/`, async () => [v4('127.0.0.2')]).post('{}', {}, never)
  await expect(post('hooks.example.org')).rejects.toThrow('certificate')
  setDefaultCACertificates([...getCACertificates('default'), await file('ca.pem')])
  await expect(post('others.example.org')).rejects.toThrow("not in the cert's altnames")
  expect(requests).toBe(0)
  expect(await post('hooks.example.org')).toMatchObject({ statusCode: 204 })
  expect(requests).toBe(1)
})

test('a redirect is an answer, and is not followed', async () => {
  await using receiver = await startWebhookReceiver('127.0.0.2')
  receiver.answer = () => ({ status: 307, headers: { location: '/elsewhere' } })
  expect(await poster(receiver.url).post('{}', {}, never)).toMatchObject({ statusCode: 307 })
  expect(receiver.received).toHaveLength(1)
})

test('an endless answer is not read to its end', async () => {
  let sentBytes = 0
  const server = createServer((_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384))) sentBytes += 16_384
    }
    response.on('drain', more)
    more()
  }).listen(0, '127.0.0.2')
  onTestFinished(() => server.closeAllConnections())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await poster(`http://127.0.0.2:${port}/`).post('{}', {}, never)).toMatchObject({ statusCode: 200 })
  await delay(200)
  const seen = sentBytes
  await delay(200)
  expect(sentBytes).toBe(seen)
  expect(seen).toBeLessThan(LIMITS.webhookResponseBytes + 16 * 1024 * 1024)
})

test('a receiver that never answers is given up in time', async () => {
  await using receiver = await startWebhookReceiver('127.0.0.2')
  receiver.answer = () => undefined
  const startedMs = Date.now()
  await expect(poster(receiver.url).post('{}', {}, never)).rejects.toThrow('no answer within 10 s')
  expect(Date.now() - startedMs).toBeGreaterThanOrEqual(LIMITS.webhookRequestMs - 50)
  await receiver.close()
  await expect(poster(receiver.url).post('{}', {}, never)).rejects.toThrow('ECONNREFUSED')
})

test('an answer that is no HTTP, and one that ends too soon, are errors', async () => {
  const server = createTcpServer((socket) => {
    socket.once('data', (bytes) =>
      bytes.includes('POST /noise') ? socket.end('hello\r\n\r\n') : socket.destroy(),
    )
  })
  server.listen(0, '127.0.0.2')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await expect(poster(`http://127.0.0.2:${port}/noise`).post('{}', {}, never)).rejects.toThrow('Parse Error')
  await expect(poster(`http://127.0.0.2:${port}/gone`).post('{}', {}, never)).rejects.toThrow(
    'socket hang up',
  )
  await expect(new Poster('http://nowhere.invalid/', ONE_ADDRESS).post('{}', {}, never)).rejects.toThrow(
    'ENOTFOUND',
  )
})

test('whoever stops is not kept waiting by a receiver', async () => {
  await using receiver = await startWebhookReceiver('127.0.0.2')
  receiver.answer = () => undefined
  const stopping = new AbortController()
  const posted = poster(receiver.url).post('{}', {}, stopping.signal)
  setTimeout(() => stopping.abort(new Error('stopped')), 50)
  await expect(posted).rejects.toThrow('stopped')
})
