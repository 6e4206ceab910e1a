import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { streamFile } from '../../../api/glance/file-stream.ts'
import { MiB } from '../../../domain/sizes.ts'
import { tempDir } from '../../support/temp-dir.ts'

const SIZE = 11 * MiB + 123

async function file() {
  const path = join(await tempDir(), 'image')
  const bytes = randomBytes(SIZE)
  await writeFile(path, bytes)
  return { path, bytes }
}

/** Over HTTP, to a client that rests after each of its reads. */
async function received(path: string, range: { start: number; end: number }, restMs: number) {
  const server = createServer((_request, response) => {
    void streamFile(path, range).then((stream) => stream.pipe(response))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const [answer] = await once(get(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), 'response')
  const hash = createHash('sha256')
  for await (const piece of answer) {
    hash.update(piece as Buffer)
    if (restMs > 0) await sleep(restMs)
  }
  return hash.digest('hex')
}

test.each([
  [{ start: 0, end: SIZE }, 0],
  [{ start: 0, end: SIZE }, 1],
  [{ start: 5, end: 7 * MiB }, 0],
  [{ start: SIZE - 1, end: SIZE }, 0],
  [{ start: 3, end: 3 }, 0],
])('The bytes %j arrive as they are, also where the client rests %i ms', async (range, restMs) => {
  const { path, bytes } = await file()
  const expected = createHash('sha256').update(bytes.subarray(range.start, range.end)).digest('hex')
  expect(await received(path, range, restMs)).toBe(expected)
})

test('A file that is deleted meanwhile is read to its end; one that became shorter is an error; none stays open', async () => {
  const { path, bytes } = await file()
  const deleted = await streamFile(path, { start: 0, end: SIZE })
  const copy = `${path}.copy`
  await writeFile(copy, await readFile(path))
  await rm(path)
  const hash = createHash('sha256')
  for await (const piece of deleted) hash.update(piece as Buffer)
  expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
  const short = await streamFile(copy, { start: 0, end: SIZE })
  await truncate(copy, MiB)
  await expect(short.toArray()).rejects.toThrow(/it ends at/)
  const isOpen = async () =>
    (
      await Promise.all(
        (await readdir('/proc/self/fd')).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')),
      )
    ).some((target) => target.startsWith(path))
  await expect.poll(isOpen).toBe(false)
})
