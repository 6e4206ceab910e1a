import { writeFile, truncate } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProcess } from '../../block-io/process.ts'
import { changeVolume } from '../../scripts/demo/change.ts'
import { sha256OfFile, sha256OfPaddedFile } from '../../scripts/demo/contents.ts'
import { locate } from '../../scripts/setup/locate.ts'
import { tempDir } from '../support/temp-dir.ts'

const MiB = 1024 * 1024
const { signal } = new AbortController()

test('padding a file changes its hash as zeroes behind it would', async () => {
  const path = join(await tempDir(), 'a')
  await writeFile(path, 'abc')
  const hashOf = (size: number) =>
    createHash('sha256')
      .update(Buffer.concat([Buffer.from('abc')], size))
      .digest('hex')
  expect(await sha256OfPaddedFile(path, [3, 1000, 3 * MiB], signal)).toEqual([3, 1000, 3 * MiB].map(hashOf))
})

test('a disk without a file system is changed at its end, the same way each time', async () => {
  const folder = await tempDir()
  const hashes: string[] = []
  for (const name of ['a', 'b']) {
    const path = join(folder, name)
    await writeFile(path, 'x')
    await truncate(path, 32 * MiB)
    expect(await changeVolume(path, folder, signal)).toMatchObject({ path: 'write', bytes: 8 * MiB })
    hashes.push(await sha256OfFile(path, signal))
  }
  expect(hashes[0]).toBe(hashes[1])
})

test.skipIf(locate('debugfs') === undefined)('an ext4 disk gets a file that can be read back', async () => {
  const folder = await tempDir()
  const disk = join(folder, 'disk')
  await runProcess('mke2fs', ['-q', '-t', 'ext4', '-E', 'lazy_itable_init=1', disk, '64M'])
  const { file } = await changeVolume(disk, folder, signal)
  const copy = join(folder, 'copy')
  await runProcess('debugfs', ['-R', `dump ${file?.guestPath} ${copy}`, disk])
  expect(await sha256OfFile(copy, signal)).toBe(file?.sha256)
  await runProcess('e2fsck', ['-fn', disk])
})
