import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeySecret } from '../../backup-format/key-slot.ts'
import { parseRecoveryKey } from '../../backup-format/recovery-key.ts'
import { MemoryTarget } from './memory-target.ts'

export interface Golden {
  /** As people and programs have them: keys in hex, the recovery key as it is printed. */
  readonly secrets: Record<'keyFile' | 'passphrase' | 'recoveryKey' | 'keyManager', string>
  /** Key -> bytes in base64. */
  readonly objects: Record<string, string>
}

/** Versions of the format that there ever were. */
export const FORMATS = [1, 2] as const

export function goldenPath(format: number): string {
  return join(import.meta.dirname, `golden-v${format}.json`)
}

export async function readGolden(format: number): Promise<Golden> {
  return JSON.parse(await readFile(goldenPath(format), 'utf8'))
}

export function goldenTarget({ objects }: Golden): MemoryTarget {
  const bytes = Object.entries(objects).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const)
  return new MemoryTarget(new Map(bytes))
}

/** One of each kind, the key file first. */
export function goldenSecrets({
  keyFile,
  passphrase,
  recoveryKey,
  keyManager,
}: Golden['secrets']): KeySecret[] {
  return [
    { kind: 'key-file', key: Buffer.from(keyFile, 'hex') },
    { kind: 'passphrase', passphrase, cost: { n: 2 ** 14, r: 8, p: 1 } },
    { kind: 'recovery-key', key: parseRecoveryKey(recoveryKey) },
    { kind: 'key-manager', key: Buffer.from(keyManager, 'hex'), reference: 'vault:secret/volflow' },
  ]
}
