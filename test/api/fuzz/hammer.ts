import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { onTestFinished } from 'vitest'
import { requireOperation } from '../../../database/operations/read.ts'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { runToEnd } from '../end-operation.ts'
import { work } from '../glance/worker.ts'
import { startApi, type TestApi } from '../start-api.ts'
import { Pool } from './known.ts'
import { type FuzzedRequest, requests } from './request.ts'
import { collectRoutes, type Route } from './routes.ts'

export interface Outcome {
  /** Answered with 2xx or 3xx. */
  readonly valid: number
  /** Of what is spoken, the routes that never did. */
  readonly neverValid: readonly string[]
  /** Requests whose answers were 5xx, or told of our inside. */
  readonly wrong: readonly string[]
}

const GIB = 2 ** 30
/** Between these, what later requests need is made anew: deletions are among them. */
const PLANT_EVERY = 50
/** A forced deletion waits 20 s for those that hold its resource, before it says so. */
const ANSWER_TIMEOUT_MS = 30_000
/** One of ten operations fails, and one is under way for a while, so that what it holds is met, too. */
const LATE = 8
const LATE_MS = 200
const FAILED = 9
const IMAGE_OPERATIONS = new Set(['upload-image', 'copy-image', 'delete-image'])
/** All that the database keeps of any operation's result. */
const RESULT = {
  ...{ path: 'blank', movedBytes: 0, sizeBytes: GIB, virtualSizeBytes: GIB, damagedObjects: 0 },
  ...{ md5: '0'.repeat(32), sha512: '0'.repeat(128) },
}
/** Requests wait for these. */
const AWAITED = new Set(['attach-volume', 'detach-volume'])
const INSIDE =
  /node_modules|\.ts:\d|^\s+at \S+ \(|SQLITE_|syntax error|constraint failed|violates|\bselect\b.+\bfrom\b|\/tmp\//im

/** Asks all routes of all dialects, in an order and with bodies that follow from the seed. */
export async function hammer(count: number, seed: number): Promise<Outcome> {
  const calm = { now: false }
  const { api, routes } = await startFuzzedApi(seed, calm)
  const pool = new Pool()
  const chosen = fc.oneof(
    { weight: 19, arbitrary: fc.constantFrom(...routes.filter(({ isUnspoken }) => !isUnspoken)) },
    { weight: 1, arbitrary: fc.constantFrom(...routes.filter(({ isUnspoken }) => isUnspoken)) },
  )
  const wrong: string[] = []
  const routesValid = new Set<string>()
  let valid = 0
  for (let number = 0; number < count; number++) {
    if (number % PLANT_EVERY === 0) {
      calm.now = true
      await plant(api, pool)
      calm.now = false
    }
    const at = { seed: seed + number, numRuns: 1 }
    const [route] = fc.sample(chosen, at)
    if (route === undefined) throw new Error('Expected routes')
    const [request] = fc.sample(requests(route, pool), at)
    if (request === undefined) throw new Error('Expected a request')
    const answer = await send(api, request)
    if (answer.status < 400) {
      valid += 1
      routesValid.add(`${route.method} ${route.url}`)
      pool.learn(route.url, answer.body)
    }
    if (answer.status >= 500 || INSIDE.test(answer.text))
      wrong.push(
        `${number}: ${request.method} ${request.path} ${request.body ?? ''} -> ${answer.status} ${answer.text}`,
      )
  }
  const spoken = routes.filter(({ isUnspoken }) => !isUnspoken).map(({ method, url }) => `${method} ${url}`)
  return { valid, neverValid: spoken.filter((route) => !routesValid.has(route)), wrong }
}

/** While it is `calm`, all operations end well and at once. */
async function startFuzzedApi(
  seed: number,
  calm: { readonly now: boolean },
): Promise<{ api: TestApi; routes: readonly Route[] }> {
  const stores = new Map([
    ['files', await openImageStore({ driver: 'file', path: await tempDir() })],
    ['second', await openImageStore({ driver: 'file', path: await tempDir() })],
  ])
  let routes: readonly Route[] = []
  let dispatched = seed
  const working = new Set<Promise<void>>()
  // Runs after what startApi registers, as in start-glance.ts.
  onTestFinished(async () => void (await Promise.allSettled(working)))
  const api: TestApi = await startApi(
    {
      places: {
        backends: ['local'],
        stores: ['files', 'second'],
        targets: ['disk', 's3'],
        cinderTargets: { cinder: { driver: 's3', container: 'volumebackups' } },
      },
      imageStores: stores,
      retry: async (key) => void (await requireOperation(api.database, key)),
      // What is late is not awaited: its request is answered meanwhile.
      dispatch: async (operationId) => {
        dispatched += 1
        const chance = calm.now ? 0 : dispatched % 10
        const ended = end(api, stores, operationId, chance)
        if (chance === LATE) working.add(ended)
        else await ended
      },
    },
    (app) => (routes = collectRoutes(app)),
  )
  return { api, routes }
}

async function end(api: TestApi, stores: Parameters<typeof work>[1], operationId: string, chance: number) {
  const { kind } = await api.database
    .selectFrom('operations')
    .select('kind')
    .where('id', '=', operationId)
    .executeTakeFirstOrThrow()
  if (IMAGE_OPERATIONS.has(kind)) return work(api.database, stores, operationId)
  if (chance === LATE && !AWAITED.has(kind)) await sleep(LATE_MS)
  await runToEnd(
    api.database,
    operationId,
    chance === FAILED && !AWAITED.has(kind)
      ? { outcome: 'failed', error: { code: 'full', message: 'No space left.' } }
      : { outcome: 'succeeded', result: RESULT },
  )
}

async function plant({ url }: TestApi, pool: Pool): Promise<void> {
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json', 'x-project-id': 'fuzz' }
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    const made: unknown = await answer.json()
    pool.learn(path, made)
    return made as Record<string, { id: string }>
  }
  const { volume } = await post('/volume/v3/volumes', { volume: { size: 1 } })
  await post('/volume/v3/snapshots', { snapshot: { volume_id: volume?.id, force: true } })
  await post('/volume/v3/backups', { backup: { volume_id: volume?.id, force: true } })
  await post('/image/v2/images', { disk_format: 'raw', container_format: 'bare' })
  const volumes = { ids: [volume?.id] }
  await post('/operations/v1/schedules', { volumes, name: 'fuzz', intervalSeconds: 3600, target: 'disk' })
}

async function send({ url }: TestApi, { method, path, headers, body }: FuzzedRequest) {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
  const init = { method, headers, signal, ...(body !== undefined && { body }) }
  const answer = await fetch(url + path, init).catch((error: unknown) => {
    throw new Error(`Expected an answer to ${method} ${path} ${body ?? ''}`, { cause: error })
  })
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    await answer.body?.cancel()
    return { status: answer.status, text: '', body: undefined }
  }
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true && text !== ''
  return { status: answer.status, text, body: isJson ? (JSON.parse(text) as unknown) : undefined }
}
