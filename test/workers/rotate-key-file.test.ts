/** The process dies at each of its steps; the next run carries on, and at no moment is a repository closed to the key in the file. */
import type * as files from 'node:fs/promises'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { listSlots } from '../../backup-format/key-slots.ts'
import { createOrOpenRepository, openRepository } from '../../backup-format/repository.ts'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import { configuredKeyring, lookingKeyring } from '../../workers/keyring.ts'
import { rotateKeyFile } from '../../workers/keys/rotate-key-file.ts'
import { backUp, makeImage, restored, SHAPE } from '../backup-format/fixtures.ts'
import { MemoryTarget } from '../backup-format/memory-target.ts'
import { tempDir } from '../support/temp-dir.ts'

const world = vi.hoisted(() => ({
  stepsLeft: Infinity,
  targets: new Map<string, Map<string, Buffer>>(),
  step() {
    this.stepsLeft -= 1
    if (this.stepsLeft < 0) throw new Error('killed')
  },
}))

vi.mock('../../drivers/backups/registry.ts', () => ({
  openTarget: ({ path }: { path: string }) =>
    new MemoryTarget(world.targets.get(path) ?? new Map(), async () => world.step()),
}))

/** Dies before or after the change. */
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>()
  const stepped =
    <A extends unknown[], T>(act: (...args: A) => Promise<T>) =>
    async (...args: A) => {
      world.step()
      const done = await act(...args)
      world.step()
      return done
    }
  return { ...real, link: stepped(real.link), rename: stepped(real.rename), rm: stepped(real.rm) }
})

let config: Config

beforeEach(async () => {
  const folder = await tempDir()
  world.stepsLeft = Infinity
  world.targets.clear()
  const loaded = await loadConfig(folder, {})
  const target = (path: string) => ({ driver: 'directory' as const, path: join(folder, path) })
  config = { ...loaded, targets: { one: target('one'), two: target('two'), unused: target('unused') } }
  for (const { path } of Object.values(config.targets) as { path: string }[]) {
    world.targets.set(path, new Map())
    await mkdir(path)
  }
  const keyring = await configuredKeyring(config)
  for (const name of ['one', 'two']) await createOrOpenRepository(targetOf(name), keyring, SHAPE)
})

it('ends with the new key alone, wherever it died in between', async () => {
  const image = await makeImage('rt')
  const { backupId } = await backUp(await openOne(), image)
  for (let steps = 0; ; steps += 1) {
    const before = await readFile(config.backupKeyFile, 'utf8')
    world.stepsLeft = steps
    const outcome = await rotateKeyFile(config).catch((error: Error) => error.message)
    world.stepsLeft = Infinity
    expect(
      await openRepository(targetOf('one'), lookingKeyring(config)),
      `after ${steps} steps`,
    ).toBeDefined()
    expect(
      await openRepository(targetOf('two'), lookingKeyring(config)),
      `after ${steps} steps`,
    ).toBeDefined()
    if (outcome === 'killed') await rotateKeyFile(config)
    else expect(outcome).toMatchObject([{ target: 'one' }, { target: 'two' }])
    expect(await readFile(config.backupKeyFile, 'utf8')).not.toBe(before)
    expect((await readdir(join(config.dataFolder, 'keys'))).toSorted()).toEqual([
      'backup.key',
      'backup.key.lock',
    ])
    for (const name of ['one', 'two']) {
      const { repoId } = (await openRepository(targetOf(name), lookingKeyring(config))) ?? {}
      expect(await listSlots(targetOf(name), repoId ?? '')).toHaveLength(1)
    }
    if (outcome !== 'killed') break
  }
  const bytes = await restored(await openOne(), backupId, image.bytes.length)
  expect(bytes.equals(image.bytes)).toBe(true)
}, 120_000)

it('changes nothing when one of the targets does not open', async () => {
  const keys = targetOf('two').objects
  for (const key of [...keys.keys()].filter((name) => name.startsWith('keys/')))
    keys.set(key, Buffer.alloc(3))
  const before = await readFile(config.backupKeyFile, 'utf8')
  await expect(rotateKeyFile(config)).rejects.toMatchObject({ kind: 'invalid' })
  expect(await readFile(config.backupKeyFile, 'utf8')).toBe(before)
  expect(await openRepository(targetOf('one'), lookingKeyring(config))).toBeDefined()
})

it('does not lose a repository that is made meanwhile with the key that was just replaced', async () => {
  const keyring = lookingKeyring(config)
  let asked = 0
  const slow = {
    ...keyring,
    secrets: async () => {
      const secrets = await keyring.secrets()
      asked += 1
      if (asked === 1) await rotateKeyFile(config)
      return secrets
    },
  }
  await createOrOpenRepository(targetOf('unused'), slow, SHAPE)
  expect(await openRepository(targetOf('unused'), lookingKeyring(config))).toBeDefined()
})

function targetOf(name: string): MemoryTarget {
  const target = config.targets[name]
  if (target?.driver !== 'directory') throw new Error(`Expected a target ${name}`)
  return new MemoryTarget(world.targets.get(target.path))
}

async function openOne() {
  const repository = await openRepository(targetOf('one'), lookingKeyring(config))
  if (repository === undefined) throw new Error('Expected a repository')
  return repository
}
