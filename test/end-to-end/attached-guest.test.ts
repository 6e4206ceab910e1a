import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'vitest'
import { runProcess } from '../../block-io/process.ts'
import { chainIn } from '../checker/layers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type Installation, withGuestSockets } from './installation.ts'
import { goOnWriting } from './writing-machine.ts'

test(
  'a machine goes on writing its volume while that is snapshotted, extended and backed up',
  () => goOnWriting(withGuestSockets(), bytesInFiles),
  240_000,
)

async function bytesInFiles(
  installation: Installation,
  volumeId: string,
  snapshotId?: string,
): Promise<Buffer> {
  const directory =
    snapshotId === undefined
      ? installation.volumeFolder(volumeId)
      : installation.snapshotFolder(volumeId, snapshotId)
  const { device } = await chainIn(directory)
  const copy = join(await tempDir(), 'copy.raw')
  await runProcess('qemu-img', ['convert', '-U', '-O', 'raw', device, copy])
  return readFile(copy)
}
