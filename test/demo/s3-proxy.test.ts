import { createServer, request } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { type S3Proxy, startS3Proxy } from '../../scripts/demo/s3-proxy.ts'
import { listen } from '../../scripts/ports.ts'

const stored = new Map<string, { bytes: number; host: string | undefined }>()
let stop = async () => {}

afterEach(() => stop())

async function proxyOverStore(): Promise<S3Proxy> {
  stored.clear()
  const store = createServer((incoming, answer) => {
    let bytes = 0
    incoming.on('data', (piece: Buffer) => (bytes += piece.length))
    incoming.on('error', () => {})
    incoming.on('end', () => {
      stored.set(incoming.url ?? '', { bytes, host: incoming.headers.host })
      answer.writeHead(200, { etag: '"1"' }).end('kept')
    })
  })
  const proxy = await startS3Proxy(`http://127.0.0.1:${await listen(store)}`)
  stop = async () => {
    await proxy.stop()
    store.close()
  }
  return proxy
}

test('requests go through unchanged, with the Host header that was signed', async () => {
  const proxy = await proxyOverStore()
  const answer = await fetch(`${proxy.endpoint}/b/key?x=1`, { method: 'PUT', body: 'hello' })
  expect(await answer.text()).toBe('kept')
  expect(answer.headers.get('etag')).toBe('"1"')
  expect(stored.get('/b/key?x=1')).toEqual({ bytes: 5, host: new URL(proxy.endpoint).host })
})

test('only what comes in for an object once more counts as repeated', async () => {
  const proxy = await proxyOverStore()
  await fetch(`${proxy.endpoint}/b/one`, { method: 'PUT', body: 'x'.repeat(1000) })
  await fetch(`${proxy.endpoint}/b/two`, { method: 'PUT', body: 'x'.repeat(500) })
  expect(proxy.repeatedBytes()).toBe(0)
  await fetch(`${proxy.endpoint}/b/one`, { method: 'PUT', body: 'x'.repeat(1000) })
  await fetch(`${proxy.endpoint}/b/one`)
  expect(proxy.uploadedBytes()).toBe(2500)
  expect(proxy.repeatedBytes()).toBe(1000)
})

test('an upload that broke off counts as repeated as soon as it is done again', async () => {
  const proxy = await proxyOverStore()
  const broken = request(`${proxy.endpoint}/b/one`, { method: 'PUT', headers: { 'content-length': 1000 } })
  broken.on('error', () => {})
  const closed = new Promise((resolve) => broken.on('close', resolve))
  broken.write('x'.repeat(400))
  while (proxy.uploadedBytes() < 400) await new Promise((resolve) => setTimeout(resolve, 5))
  broken.destroy()
  await closed
  expect(proxy.repeatedBytes()).toBe(0)
  await fetch(`${proxy.endpoint}/b/one`, { method: 'PUT', body: 'x'.repeat(1000) })
  expect(proxy.repeatedBytes()).toBe(400)
})

test('uploads can be slowed', async () => {
  const proxy = await proxyOverStore()
  proxy.limitUploads(10_000)
  const startedMs = performance.now()
  await Promise.all(
    ['a', 'b'].map((key) => fetch(`${proxy.endpoint}/b/${key}`, { method: 'PUT', body: 'x'.repeat(2000) })),
  )
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(390)
})
