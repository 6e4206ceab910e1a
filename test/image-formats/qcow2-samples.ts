/** Real qcow2 images by qemu-img, and patches that make them malicious. */
import { copyFile, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { type InspectedImage, inspectImage } from '../../image-formats/inspect.ts'
import { makeQcow2Image } from '../support/small-images.ts'

export const MiB = 1024 * 1024

/** 6 MiB of data in a disk of 64 MiB. */
export const CONTENT = {
  sizeBytes: 64 * MiB,
  data: [
    { offset: 0, length: 5 * MiB, seed: 1 },
    { offset: 40 * MiB, length: MiB, seed: 2 },
  ],
}

/** Where the tables of a fresh image with clusters of 64 KiB are. */
export const L1_OFFSET = 40
export const HEADER_END = 112

export async function makePlainSample(folder: string): Promise<string> {
  const path = join(folder, 'plain.qcow2')
  await makeQcow2Image(path, CONTENT)
  return path
}

export async function createEmpty(
  path: string,
  size: string,
  options: readonly string[] = [],
): Promise<void> {
  const extra = options.length === 0 ? [] : ['-o', options.join(',')]
  await runProcess('qemu-img', ['create', '-q', '-f', 'qcow2', ...extra, path, size])
}

/** Copies the sample, changes its bytes and inspects the result. */
export async function inspectPatched(
  sample: string,
  patch: (file: Patcher) => Promise<void>,
): Promise<InspectedImage> {
  const path = `${sample}.${Math.random().toString(36).slice(2)}`
  await copyFile(sample, path)
  const handle = await open(path, 'r+')
  try {
    await patch(new Patcher(handle))
  } finally {
    await handle.close()
  }
  return inspectFile(path, 'qcow2')
}

export async function inspectFile(path: string, format: 'raw' | 'qcow2'): Promise<InspectedImage> {
  const handle = await open(path, 'r')
  try {
    return await inspectImage(handle, (await stat(path)).size, format)
  } finally {
    await handle.close()
  }
}

export class Patcher {
  readonly handle: Awaited<ReturnType<typeof open>>

  constructor(handle: Awaited<ReturnType<typeof open>>) {
    this.handle = handle
  }

  async u32(offset: number, value: number): Promise<void> {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    await this.handle.write(bytes, 0, 4, offset)
  }

  async u64(offset: number, value: bigint): Promise<void> {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(value)
    await this.handle.write(bytes, 0, 8, offset)
  }

  async text(offset: number, value: string): Promise<void> {
    await this.handle.write(Buffer.from(value, 'latin1'), 0, value.length, offset)
  }

  async readU64(offset: number): Promise<bigint> {
    const bytes = Buffer.alloc(8)
    await this.handle.read(bytes, 0, 8, offset)
    return bytes.readBigUInt64BE()
  }

  async l1(): Promise<number> {
    return Number(await this.readU64(L1_OFFSET))
  }

  /** Of the first L2 table. */
  async l2(): Promise<number> {
    return Number((await this.readU64(await this.l1())) & 0x00ff_ffff_ffff_fe00n)
  }

  async truncate(bytes: number): Promise<void> {
    await this.handle.truncate(bytes)
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size
  }
}
