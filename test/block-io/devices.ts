import { randomBytes } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlockDevice } from '../../block-io/device.ts'
import { runProcess } from '../../block-io/process.ts'
import { MiB } from '../../domain/sizes.ts'

export function plainDevice(path: string, sizeBytes: number): BlockDevice {
  return { sizeBytes, plainFile: path, blockdev: { driver: 'raw', file: { driver: 'file', filename: path } } }
}

export function qcow2Device(path: string, sizeBytes: number): BlockDevice {
  return { sizeBytes, blockdev: { driver: 'qcow2', file: { driver: 'file', filename: path } } }
}

/** A sparse file with random data at the given MiB; the rest are holes. */
export async function sparseFile(
  path: string,
  sizeBytes: number,
  data: readonly { atMiB: number; sizeMiB: number }[] = [],
): Promise<BlockDevice> {
  const file = await open(path, 'w')
  try {
    await file.truncate(sizeBytes)
    for (const { atMiB, sizeMiB } of data) {
      for (let done = 0; done < sizeMiB; done += 1)
        await file.write(randomBytes(MiB), 0, MiB, (atMiB + done) * MiB)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return plainDevice(path, sizeBytes)
}

/** The same bytes as qcow2, in the same folder. */
export async function asQcow2(device: BlockDevice, ...options: string[]): Promise<BlockDevice> {
  const path = `${device.plainFile}.qcow2`
  await runProcess('qemu-img', [
    'convert',
    '-f',
    'raw',
    '-O',
    'qcow2',
    ...options,
    String(device.plainFile),
    path,
  ])
  return qcow2Device(path, device.sizeBytes)
}

/** What happens to be in a new file that nobody zeroed. */
export async function dirtyFile(folder: string, sizeBytes: number): Promise<BlockDevice> {
  return sparseFile(join(folder, 'dirty.raw'), sizeBytes, [{ atMiB: 0, sizeMiB: sizeBytes / MiB }])
}

/** Pids of all processes whose command line mentions the text. */
export async function processesMentioning(text: string): Promise<number[]> {
  const { stdout } = await runProcess('ps', ['-eo', 'pid=,args='])
  const lines = stdout.split('\n').filter((line) => line.includes(text))
  return lines.map((line) => Number.parseInt(line, 10))
}

export async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children.split(' ').filter(Boolean).map(Number)
}

/** A zombie has ended: it cannot write any more. */
export async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return status !== undefined && !/\) Z /.test(status)
}
