import { createHash } from 'node:crypto'
import type { BackupTarget } from '../../backup-format/target.ts'

/** A target in memory. `step` runs before every call and may wait, to interleave, or throw, as a dead process would. */
export class MemoryTarget implements BackupTarget {
  readonly kind = 'memory'
  readonly objects: Map<string, Buffer>
  readonly #step: () => Promise<void>

  constructor(objects = new Map<string, Buffer>(), step = async () => {}) {
    this.objects = objects
    this.#step = step
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    await this.#step()
    const exists = this.objects.has(key)
    if (!exists) this.objects.set(key, Buffer.from(bytes))
    await this.#step()
    return exists ? 'exists' : 'created'
  }

  async replace(key: string, bytes: Uint8Array, version: string): Promise<{ version: string } | 'conflict'> {
    await this.#step()
    const current = this.objects.get(key)
    if (current === undefined || versionOf(current) !== version) return 'conflict'
    this.objects.set(key, Buffer.from(bytes))
    await this.#step()
    return { version: versionOf(bytes) }
  }

  async get(key: string): Promise<{ bytes: Buffer; version: string } | undefined> {
    await this.#step()
    const bytes = this.objects.get(key)
    return bytes === undefined ? undefined : { bytes: Buffer.from(bytes), version: versionOf(bytes) }
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
    await this.#step()
    for (const key of [...this.objects.keys()]) {
      const bytes = this.objects.get(key)
      if (key.startsWith(prefix) && bytes !== undefined) yield { key, sizeBytes: bytes.length }
    }
  }

  async delete(key: string): Promise<void> {
    await this.#step()
    this.objects.delete(key)
  }

  async deleteMany(keys: readonly string[]): Promise<{ locked: string[] }> {
    for (const key of keys) await this.delete(key)
    return { locked: [] }
  }

  async close(): Promise<void> {}
}

function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
