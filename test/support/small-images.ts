import { createCipheriv, createHash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { runProcess } from '../../block-io/process.ts'

export interface ImageContent {
  /** Of the virtual disk. */
  readonly sizeBytes: number
  /** Incompressible bytes that depend on the seed alone; all else reads as zeroes. */
  readonly data: readonly { readonly offset: number; readonly length: number; readonly seed: number }[]
}

/** Writes a sparse raw image; answers the SHA-256 (hex) of the whole virtual disk. */
export async function makeRawImage(path: string, content: ImageContent): Promise<string> {
  const file = await open(path, 'w')
  try {
    await file.truncate(content.sizeBytes)
    for (const { offset, length, seed } of content.data)
      await file.write(pseudoRandom(length, seed), 0, length, offset)
    return await sha256OfFile(path)
  } finally {
    await file.close()
  }
}

/** The same as qcow2, by qemu-img; answers the SHA-256 (hex) of the virtual disk, not of the file. */
export async function makeQcow2Image(
  path: string,
  content: ImageContent,
  options: { readonly compressed?: boolean } = {},
): Promise<string> {
  const raw = `${path}.raw`
  try {
    const sha256 = await makeRawImage(raw, content)
    const compress = options.compressed === true ? ['-c'] : []
    await runProcess('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...compress, raw, path])
    return sha256
  } finally {
    await rm(raw, { force: true })
  }
}

/** The same bytes for the same seed, on every machine. */
export function pseudoRandom(lengthBytes: number, seed: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(lengthBytes))
}

export async function sha256OfFile(path: string): Promise<string> {
  const file = await open(path)
  const hash = createHash('sha256')
  for await (const bytes of file.createReadStream()) hash.update(bytes)
  return hash.digest('hex')
}
