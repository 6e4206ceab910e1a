/** The ceiling: objects of 4 MiB of random bytes, 8 in flight, over Node's HTTP. Not even signed: the prefix is public. */
import { Agent, request } from 'node:http'
import pMap from 'p-map'
import { MiB } from '../../domain/sizes.ts'
import { pseudoRandom } from '../../scripts/demo/contents.ts'
import type { S3Place } from '../s3-place.ts'

const OBJECT_BYTES = 4 * MiB
const OBJECTS = 256
const IN_FLIGHT = 8

/** Both answer MiB/s. `get` reads what `put` wrote. */
export function plainLoop(place: S3Place) {
  const base = `${place.endpoint}/${place.bucket}/${place.prefix}`
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT })
  const body = pseudoRandom(OBJECT_BYTES, 'plain loop')
  const all = async (transfer: (url: string) => Promise<void>): Promise<number> => {
    const startedMs = performance.now()
    const urls = Array.from({ length: OBJECTS }, (_, number) => `${base}/${number}`)
    await pMap(urls, transfer, { concurrency: IN_FLIGHT })
    return (OBJECTS * OBJECT_BYTES) / MiB / ((performance.now() - startedMs) / 1000)
  }
  return {
    put: () => all((url) => transfer(agent, url, { method: 'PUT', body })),
    get: () => all((url) => transfer(agent, url, { method: 'GET' })),
  }
}

async function transfer(
  agent: Agent,
  url: string,
  { method, body }: { method: 'PUT' | 'GET'; body?: Buffer },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const headers = body === undefined ? {} : { 'content-length': body.byteLength }
  const sent = request(url, { agent, method, headers }, (answer) => {
    let bytes = 0
    answer.on('data', (piece: Buffer) => (bytes += piece.byteLength))
    answer.on('error', reject).on('end', () => {
      const complete = answer.statusCode === 200 && (method === 'PUT' || bytes === OBJECT_BYTES)
      if (complete) resolve()
      else reject(new Error(`Expected ${method} to succeed, got ${answer.statusCode} and ${bytes} bytes`))
    })
  })
  sent.on('error', reject).end(body)
  return promise
}
