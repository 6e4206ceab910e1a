import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { LogEvent } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { readRows } from '../checker/database.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until, uploadImage } from './steps.ts'

const DATA_BYTES = 256 * MiB
const CONTENT = { sizeBytes: 300 * MiB, data: [{ offset: MiB, length: DATA_BYTES, seed: 1 }] }

test('who follows the events sees every change once, although control worker and API are killed in the middle of a backup', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, folder, proxy } = installation
  const leaving = new AbortController()
  const seen: LogEvent[] = []
  const following = (async () => {
    for await (const event of client.followEvents({ after: 0 }, { signal: leaving.signal })) seen.push(event)
  })().catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error
  })
  await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
  const upBefore = proxy.upBytes
  const backup = (await client.createBackup({ volumeId, target: 's3' })).operation
  for (const [part, service] of [
    [1 / 8, 'api'],
    [1 / 4, 'control-worker'],
    [1 / 2, 'api'],
  ] as const) {
    await until(`${part} is uploaded`, () => proxy.upBytes - upBefore > DATA_BYTES * part)
    process.kill(await installation.servicePid(service), 'SIGKILL')
  }
  await ended(installation, backup)
  await until(
    'the end was told',
    () => seen.at(-1)?.operation?.id === backup.id && seen.at(-1)?.type === 'ended',
  )
  leaving.abort()
  await following
  const ids = seen.map(({ id }) => id)
  expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b))
  const { events } = readRows(installation.checked())
  const logged = events.map(({ id, type }) => ({ id, type })).filter(({ type }) => isKept(String(type)))
  const told = seen.map(({ id, type }) => ({ id, type })).filter(({ type }) => isKept(type))
  expect(told).toEqual(logged)
  expect(told.length).toBeGreaterThanOrEqual(12)
  await expectClean(installation.checked())
}, 180_000)

/** Of the others the log keeps the newest only. */
function isKept(type: string): boolean {
  return !['progress', 'attempt-failed', 'waiting'].includes(type)
}
