/** Keys of backups change while the service runs, are lost, and come back. */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, uploadImage } from './steps.ts'

const MAIN = join(import.meta.dirname, '../../workers/main.ts')

test('the key is rotated under a running service, lost, and replaced with the recovery key: every backup restores', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, folder } = installation
  const keyFile = join(installation.dataFolder, 'keys/backup.key')
  const paper = join(folder, 'recovery')
  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), {
    sizeBytes: 16 * MiB,
    data: [{ offset: MiB, length: 9 * MiB, seed: 1 }],
  })
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
  const backUp = (incremental: boolean) => client.createBackup({ volumeId, target: 's3', incremental })
  const full = await ended(installation, backUp(false))
  const slots = () =>
    keys<{ slots: { id: string; kind: string }[] }>('list', 's3').then((answer) => answer.slots)
  const kill9Worker = async () => process.kill(await installation.servicePid('data-worker'), 'SIGKILL')

  const firstKey = await readFile(keyFile, 'utf8')
  await keys('recovery-key', 's3', '--file', paper)
  await keys('rotate')
  expect(await readFile(keyFile, 'utf8')).not.toBe(firstKey)
  expect((await slots()).map(({ kind }) => kind).toSorted()).toEqual(['key-file', 'recovery-key'])
  await ended(installation, backUp(true))
  // What the worker remembered of the old key goes with it.
  await kill9Worker()
  const incremental = await ended(installation, backUp(true))
  await expectRestored(full.resourceId)

  const lost = (await slots()).find(({ kind }) => kind === 'key-file')?.id ?? ''
  await rm(keyFile)
  await kill9Worker()
  const refused = await ended(installation, backUp(false), 'failed')
  expect(refused.error?.message).toContain('volflow target keys add')
  await keys('add', 's3', '--unlock-recovery-key', paper)
  await ended(installation, client.deleteBackup(refused.resourceId))
  await keys('remove', 's3', lost)
  // What the refused backup could not undo; the janitor would do it within minutes.
  await volflow('fsck', '--repair', '--min-age', '0')
  await expectRestored(incremental.resourceId)
  await expectClean(installation.checked({ secrets: { 'the recovery key': await readFile(paper, 'utf8') } }))

  async function expectRestored(backupId: string): Promise<void> {
    const { resourceId } = await ended(installation, client.createVolume({ backupId }))
    expect(await sha256OfVolume(installation, resourceId)).toBe(sha256)
  }

  async function keys<T>(...args: string[]): Promise<T> {
    return JSON.parse(await volflow('target', 'keys', ...args, '--json')) as T
  }

  async function volflow(...args: string[]): Promise<string> {
    const command = [MAIN, ...args, '--data', installation.dataFolder]
    return (await execa(process.execPath, command, { stdin: 'ignore' })).stdout
  }
}, 180_000)
