/** Who backs up the sample volume again after a part of it has changed. Each has made a full backup before. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { serveDevice } from '../block-io/export.ts'
import { openWriter } from '../block-io/writer.ts'
import { MiB } from '../domain/sizes.ts'
import { openVolumeDriver } from '../drivers/volumes/registry.ts'
import { pseudoRandom } from '../scripts/demo/contents.ts'
import type { BackupFixture } from './backup-fixture.ts'
import type { Contestant, Row } from './contest.ts'
import { borgIn, hasBorg } from './peers/borg.ts'
import { hasRestic, resticAt } from './peers/restic.ts'
import { timeRow } from './row.ts'
import { VOLUME_BYTES } from './sample-volume.ts'

export const OURS = { changed: 'volflow, 1 % changed', unchanged: 'volflow, nothing changed' } as const

/** Ten times 2 MiB: 1 % of the volume, in up to twenty of its chunks. */
const CHANGES = 10
const CHANGE_BYTES = 2 * MiB

export function absentPeers(): string[] {
  return [...(hasRestic() ? [] : ['restic']), ...(hasBorg() ? [] : ['borg, directory'])]
}

export async function incrementalContestants(
  fixture: BackupFixture,
  options: { folder: string; signal: AbortSignal },
): Promise<Record<string, Contestant>> {
  const changed = changes(fixture, options.folder)
  for (const target of ['s3-0', 's3-1']) await backUp(fixture, target, false)
  const after = (contestant: () => Promise<Row>): Contestant => {
    return async (run) => {
      await changed(run)
      return contestant()
    }
  }
  return {
    [OURS.changed]: after(() => ours(fixture, 's3-0')),
    [OURS.unchanged]: after(async () => {
      await backUp(fixture, 's3-1', true)
      return ours(fixture, 's3-1')
    }),
    ...(hasRestic() && { restic: after(await restic(fixture, options)) }),
    ...(hasBorg() && { 'borg, directory': after(await borg(fixture, options)) }),
  }
}

/** The same bytes at the same places of our volume and of the file that the others read: once a run, whoever is first. */
function changes({ volumeId, raw }: BackupFixture, folder: string): (run: number) => Promise<void> {
  let done = -1
  return async (run) => {
    if (run === done) return
    done = run
    const driver = await openVolumeDriver({ driver: 'file', path: join(folder, 'data', 'volumes') })
    const device = await driver.openVolume({ volumeId, access: 'write' })
    const served = await serveDevice(device, { socketDirectory: folder, confined: false, writable: true })
    const volume = await openWriter(served.spec)
    await using file = await open(raw, 'r+')
    for (let change = 0; change < CHANGES; change++) {
      const bytes = pseudoRandom(CHANGE_BYTES, `${run} ${change}`)
      const offset = (bytes.readUInt32LE() % ((VOLUME_BYTES - CHANGE_BYTES) / 512)) * 512
      await volume.write(bytes, offset)
      await file.write(bytes, 0, bytes.length, offset)
    }
    await volume.flush()
    await volume.close()
    await served.close()
    await device.close()
  }
}

async function backUp({ product, volumeId }: BackupFixture, target: string, incremental: boolean) {
  const { operation } = await product.client.createBackup({ volumeId, target, incremental })
  return product.finish(operation)
}

async function ours(fixture: BackupFixture, target: string): Promise<Row> {
  let newChunks = Number.NaN
  const usage = await fixture.product.measure(async () => {
    const { result } = await backUp(fixture, target, true)
    if (result?.['scan'] !== 'changed') throw new Error('Expected a list of what changed, got a scan of all')
    newChunks = Number(result['newChunks'])
  })
  return { ...timeRow(usage), 'new chunks': newChunks }
}

async function restic({ places, raw }: BackupFixture, options: { folder: string; signal: AbortSignal }) {
  const peer = resticAt(places.at('restic'), options)
  await peer.init()
  await peer.backup(raw)
  return async () => timeRow(await peer.backup(raw))
}

async function borg({ raw }: BackupFixture, { folder, signal }: { folder: string; signal: AbortSignal }) {
  const peer = borgIn(join(folder, 'borg'), signal)
  await peer.init()
  await peer.backup(raw, '0')
  let count = 0
  return async () => timeRow(await peer.backup(raw, `${++count}`))
}
