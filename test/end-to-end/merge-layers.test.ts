import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import { expectClean } from '../checker/check.ts'
import { writePattern } from '../drivers/volumes/device-bytes.ts'
import { chainOfBackups, layersOf } from './chain-of-backups.ts'
import { Damage } from './damage.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until } from './steps.ts'

/** More than a volume can have layers. */
const BACKUPS = 18

test('layers are merged before there are too many, and when a volume rests; whoever wants the volume comes first', async () => {
  await using installation = await Installation.start()
  const { client, dataFolder } = installation
  const volumeId = await chainOfBackups(installation, BACKUPS)
  const sha256 = await sha256OfVolume(installation, volumeId)
  const merged = async () => {
    const { items } = await client.listOperations({ kind: 'merge-layers' })
    return items.filter(({ resourceId }) => resourceId === volumeId)
  }
  const rest = () => void new Damage(installation).sql('update mergeable_volumes set due_at_ms = 0')
  rest()
  await until('a merge', async () => (await merged())[0]?.state === 'succeeded')
  expect((await merged())[0]?.result).toMatchObject({ path: 'merge' })
  expect(await layersOf(installation, volumeId)).toEqual(['0.raw'])
  expect(await sha256OfVolume(installation, volumeId)).toBe(sha256)
  await expectClean(installation.checked())

  const large = await ended(installation, client.createVolume({ sizeBytes: 1024 * MiB }))
  const snapshot = await ended(installation, client.createSnapshot({ volumeId: large.resourceId }))
  const backend = await openVolumeDriver({ driver: 'file', path: join(dataFolder, 'volumes') })
  const device = await backend.openVolume({ volumeId: large.resourceId, access: 'write' })
  for (let at = 0; at < 768; at += 256)
    await writePattern(device, { byte: 7, offset: at * MiB, length: 256 * MiB })
  const largeSha256 = await sha256OfVolume(installation, large.resourceId)
  await ended(installation, client.deleteSnapshot(snapshot.resourceId))
  rest()
  const running = async () =>
    (await client.listOperations({ kind: 'merge-layers', state: 'running' })).items.length > 0
  await until('a merge that runs', running)
  const next = await ended(installation, client.createSnapshot({ volumeId: large.resourceId }))
  expect(next.state).toBe('succeeded')
  expect(await sha256OfVolume(installation, large.resourceId)).toBe(largeSha256)
  await expectClean(installation.checked())
}, 300_000)
