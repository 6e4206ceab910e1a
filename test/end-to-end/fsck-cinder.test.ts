/** fsck and doctor on a target in Cinder's format: each kind of damage on one real installation that runs. */
import { hash, randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import {
  type BackupLocation,
  chunkName,
  defaultContainer,
  metadataKey,
  newLocation,
  stagedKey,
} from '../../domain/cinder-names.ts'
import { openCinderStore } from '../../drivers/cinder/registry.ts'
import type { CheckResult } from '../../workers/doctor/check.ts'
import { doctor } from '../../workers/doctor/doctor.ts'
import { fsck } from '../../workers/fsck/fsck.ts'
import { locate } from '../backup-format/cinder/fixtures.ts'
import { expectClean } from '../checker/check.ts'
import { Damage } from './damage.ts'
import { Installation } from './installation.ts'
import { ended, MiB } from './steps.ts'

let installation: Installation
let damage: Damage
let location: BackupLocation

beforeAll(async () => {
  installation = await Installation.start({
    config: { cinderTargets: { cinder: { driver: 'directory', path: 'cinder' } } },
    prepare: (dataFolder) => {
      mkdirSync(join(dataFolder, 'cinder'), { recursive: true })
      return () => undefined
    },
  })
  damage = new Damage(installation)
  process.env.TMPDIR = installation.checked().temporaryFolder
  const { client } = installation
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ sizeBytes: MiB }))
  const { resourceId } = await ended(installation, client.createBackup({ volumeId, target: 'cinder' }))
  location = await locate(openCinderStore({ driver: 'directory', path: damage.inData('cinder') }), resourceId)
}, 180_000)

afterAll(async () => {
  expect(await codesOf()).toEqual({ left: [], repaired: [] })
  await expectClean(
    installation.checked({ cinderTargets: { cinder: { kind: 'directory', path: damage.inData('cinder') } } }),
  )
  await installation[Symbol.asyncDispose]()
}, 180_000)

describe('fsck', () => {
  test('finds nothing without damage', async () => {
    expect(await codesOf()).toEqual({ left: [], repaired: [] })
  }, 60_000)

  test('finds metadata that are gone', async () => {
    await damage.moved(pathOf(metadataKey(location)))
    // Its objects are left: nobody can make a backup of them.
    expect(await codesOf()).toEqual({ left: ['backup-missing', 'object-orphaned'], repaired: [] })
  }, 60_000)

  test('finds metadata that cannot be read', async () => {
    const path = pathOf(metadataKey(location))
    const bytes = await readFile(path)
    onTestFinished(() => writeFile(path, bytes))
    await writeFile(path, bytes.subarray(0, 100))
    expect(await codesOf()).toEqual({ left: ['record-unreadable'], repaired: [] })
  }, 60_000)

  test('finds a backup whose parent is gone', async () => {
    const path = pathOf(metadataKey(location))
    const bytes = await readFile(path)
    onTestFinished(() => writeFile(path, bytes))
    await writeFile(path, bytes.toString().replace('"parent_id": null', `"parent_id": "${randomUUID()}"`))
    expect(await codesOf()).toEqual({ left: ['record-unreadable'], repaired: [] })
  }, 60_000)

  test('finds an object that is gone', async () => {
    await damage.moved(pathOf(`${location.folder}${chunkName(location, 1)}`))
    expect(await codesOf()).toEqual({ left: ['object-missing'], repaired: [] })
  }, 60_000)

  test('finds an object that no metadata name, and deletes it when told to', async () => {
    const stray = pathOf(`${location.folder}${chunkName(location, 77)}`)
    await writeFile(stray, 'left by a merge')
    expect(await codesOf({ repair: true })).toEqual({ left: ['object-unnamed'], repaired: [] })
    expect(await codesOf({ deleteOrphans: true })).toEqual({ left: [], repaired: ['object-unnamed'] })
    await expect(readFile(stray)).rejects.toMatchObject({ code: 'ENOENT' })
  }, 60_000)

  test('finds objects of a backup that was never finished, once it is old', async () => {
    const backupId = randomUUID()
    const begun = new Date(Date.now() - 60_000).toISOString()
    const unfinished = newLocation('directory', { volumeId: randomUUID(), backupId, createdAt: begun })
    const path = pathOf(`${unfinished.folder}${chunkName(unfinished, 1)}`)
    await mkdir(dirname(path), { recursive: true })
    onTestFinished(() => rm(pathOf(`${defaultContainer(backupId)}/`), { recursive: true }))
    await writeFile(path, 'what Cinder may be writing')
    expect(await codesOf({ minAgeMs: 3_600_000 })).toEqual({ left: [], repaired: [] })
    const found = { left: ['object-orphaned'], repaired: [] }
    expect(await codesOf({ deleteOrphans: true })).toEqual(found)
  }, 60_000)

  test('finds metadata that nobody will commit', async () => {
    const path = pathOf(stagedKey({ backupId: randomUUID() }))
    await mkdir(dirname(path), { recursive: true })
    onTestFinished(() => rm(path))
    await writeFile(path, '{}')
    expect(await codesOf({ deleteOrphans: true })).toEqual({ left: ['object-orphaned'], repaired: [] })
  }, 60_000)

  test('finds what a process left that died while it was writing, and removes it', async () => {
    const host = hash('sha256', hostname()).slice(0, 16)
    await writeFile(damage.inData('cinder', '.tmp', `${host}.1.0.${randomUUID()}`), 'half')
    expect(await codesOf({ repair: true })).toEqual({ left: [], repaired: ['leftover-temporary'] })
  }, 60_000)

  test('says of a target that is away that nothing in it was compared', async () => {
    await damage.moved(damage.inData('cinder'))
    expect(await codesOf()).toEqual({ left: ['place-unreachable'], repaired: [] })
  }, 60_000)
})

describe('the doctor', () => {
  const ofTarget = async () => {
    const results: CheckResult[] = []
    for await (const result of doctor(await loadConfig(installation.dataFolder)))
      if (result.where === 'target cinder') results.push(result)
    return results
  }

  test('finds the target well, says what is in it, and leaves nothing', async () => {
    const before = (await readdir(damage.inData('cinder'), { recursive: true })).toSorted()
    const results = await ofTarget()
    expect(results.filter(({ state }) => state !== 'ok')).toEqual([])
    expect(results.find(({ check }) => check === 'backups')).toMatchObject({ value: '1' })
    const after = (await readdir(damage.inData('cinder'), { recursive: true })).toSorted()
    expect(after.filter((name) => !name.startsWith('volflow-doctor'))).toEqual(before)
    expect(await readdir(damage.inData('cinder', 'volflow-doctor'))).toEqual([])
  }, 60_000)

  test('says what is wrong with one that is away', async () => {
    await damage.moved(damage.inData('cinder'))
    expect((await ofTarget()).some(({ state, next }) => state === 'fail' && next !== '')).toBe(true)
  }, 60_000)
})

function pathOf(key: string): string {
  return damage.inData('cinder', ...key.split('/'))
}

/** Without waiting until things are old. */
async function codesOf({ repair = false, deleteOrphans = false, minAgeMs = 0 } = {}) {
  const config = await loadConfig(installation.dataFolder)
  const how = { repair, deleteOrphans, deep: false, minAgeMs, progress: () => undefined }
  const { findings, repaired } = await fsck(config, how)
  return { left: findings.map(({ code }) => code), repaired: repaired.map(({ code }) => code) }
}
