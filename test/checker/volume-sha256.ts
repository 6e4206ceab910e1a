import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { chainIn } from './layers.ts'

const execute = promisify(execFile)

/** SHA-256 (hex) of a volume or snapshot of a file backend, given its directory. */
export async function volumeSha256(directory: string): Promise<string> {
  const { layers, device } = await chainIn(directory)
  const [base] = layers
  if (layers.length === 1 && base !== undefined) return fileSha256(base)
  const folder = await mkdtemp(join(tmpdir(), 'checker-'))
  try {
    const raw = join(folder, 'raw')
    await execute('qemu-img', ['convert', '-U', '-O', 'raw', device, raw])
    return await fileSha256(raw)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}
