/** A volume's bytes as one file, for whoever plays the guest; afterwards the volume has what the file has. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { copyDevice } from '../../block-io/copy.ts'
import type { BlockReader, BlockDevice } from '../../block-io/device.ts'
import { directSpec } from '../../block-io/direct.ts'
import { serveDevice } from '../../block-io/export.ts'
import { extentsFrom } from '../../block-io/extents.ts'
import { openReader } from '../../block-io/reader.ts'
import { openWriter } from '../../block-io/writer.ts'
import { MiB } from '../../domain/sizes.ts'

interface Place {
  readonly folder: string
  readonly signal: AbortSignal
}

/** A volume without layers is such a file. One with layers is copied to a file, and what was changed there is written back. */
export async function useAsFile<T>(
  device: BlockDevice,
  place: Place,
  use: (path: string) => Promise<T>,
): Promise<T> {
  if (device.plainFile !== undefined) return use(device.plainFile)
  const path = join(place.folder, 'guest-disk.raw')
  await copyToFile(device, path, place)
  const result = await use(path)
  await writeBack(device, path, place)
  return result
}

async function copyToFile(device: BlockDevice, path: string, { folder, signal }: Place): Promise<void> {
  const { sizeBytes } = device
  await using file = await open(path, 'w')
  await file.truncate(sizeBytes)
  await copyDevice({
    source: device,
    target: { sizeBytes, plainFile: path, blockdev: { driver: 'file', filename: path } },
    lengthBytes: sizeBytes,
    startOffset: 0,
    targetIsZero: true,
    signal,
    socketDirectory: folder,
    onProgress: () => {},
    onCheckpoint: () => {},
  })
}

async function writeBack(device: BlockDevice, path: string, { folder, signal }: Place): Promise<void> {
  const options = { socketDirectory: folder, confined: false, writable: true, signal }
  const direct = directSpec(device)
  const server = direct === undefined ? await serveDevice(device, options) : undefined
  const spec = direct ?? server?.spec
  if (spec === undefined) throw new Error('Expected a device that can be written')
  const { sizeBytes } = device
  const [was, is, writer] = await Promise.all([
    openReader(spec),
    openReader({ kind: 'file', path, sizeBytes }),
    openWriter(spec),
  ])
  try {
    for await (const { offset, length, kind } of extentsFrom(is, 0, sizeBytes)) {
      if (kind === 'zero') continue
      for (let at = offset; at < offset + length; at += MiB) {
        const pieceBytes = Math.min(MiB, offset + length - at)
        const [before, after] = await Promise.all([read(was, at, pieceBytes), read(is, at, pieceBytes)])
        if (!before.equals(after)) await writer.write(after, at)
      }
    }
    await writer.flush()
  } finally {
    await Promise.all([was.close(), is.close(), writer.close()])
    await server?.close()
  }
}

async function read(reader: BlockReader, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await reader.read(bytes, offset)
  return bytes
}
