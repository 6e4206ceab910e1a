/**
 * Damaged and missing objects. A verification leaves a marker for each; until the object is healed no upload relies on it unread. Whoever
 * comes upon the same bytes again stores them once more under the damaged key, and takes the marker away.
 */
import { LIMITS } from '../domain/limits.ts'
import type { Sealer } from './envelope.ts'
import {
  type BlobKind,
  blobKey,
  type BlobRef,
  parseQuarantineKey,
  quarantineKey,
  quarantinePrefix,
} from './names.ts'
import type { Repository } from './repository.ts'
import type { BackupTarget } from './target.ts'

/** Epochs of damaged objects by kind and id: a plain value, for worker threads. */
export type Quarantined = Readonly<Record<BlobKind, Map<string, number[]>>>

export async function readQuarantined({ target }: Repository, domain: string): Promise<Quarantined> {
  const found: Quarantined = { chunk: new Map(), page: new Map() }
  let count = 0
  for await (const { key } of target.list(quarantinePrefix(domain))) {
    const ref = parseQuarantineKey(domain, key)
    if (ref === undefined) continue
    add(found, ref.kind, ref)
    count += 1
    if (count === LIMITS.quarantinedMax) break
  }
  return found
}

function add(quarantined: Quarantined, kind: BlobKind, { id, epoch }: BlobRef): void {
  quarantined[kind].set(id, [...(quarantined[kind].get(id) ?? []), epoch])
}

export function isQuarantined(quarantined: Quarantined, kind: BlobKind, ref: BlobRef): boolean {
  return quarantined[kind].get(ref.id)?.includes(ref.epoch) === true
}

export function* quarantinedBlobs(
  quarantined: Quarantined,
): Generator<{ readonly kind: BlobKind } & BlobRef> {
  for (const kind of ['chunk', 'page'] as const)
    for (const [id, epochs] of quarantined[kind]) for (const epoch of epochs) yield { kind, id, epoch }
}

/** Only the name counts; the line is for people. */
export async function putMarker(
  { target }: Pick<Repository, 'target'>,
  domain: string,
  blob: { readonly kind: BlobKind; readonly ref: BlobRef },
  finding: 'missing' | 'damaged',
): Promise<void> {
  const line = JSON.stringify({ finding, at: new Date().toISOString() })
  await target.putIfAbsent(quarantineKey(blob.kind, domain, blob.ref), Buffer.from(`${line}\n`))
}

/** Also for whoever goes on. */
export async function quarantine(
  repository: Pick<Repository, 'target'>,
  domain: string,
  blob: { readonly kind: BlobKind; readonly ref: BlobRef },
  quarantined: Quarantined,
): Promise<void> {
  if (!isQuarantined(quarantined, blob.kind, blob.ref)) add(quarantined, blob.kind, blob.ref)
  await putMarker(repository, domain, blob, 'damaged')
}

export async function removeMarker(
  { target }: Pick<Repository, 'target'>,
  domain: string,
  blob: { readonly kind: BlobKind; readonly ref: BlobRef },
): Promise<void> {
  await target.delete(quarantineKey(blob.kind, domain, blob.ref))
}

export interface Healer {
  readonly target: BackupTarget
  readonly domain: string
  readonly sealer: Sealer
}

/**
 * Stores the bytes under each damaged key of this id, and takes its marker away: that of a page stays until a verification has looked at
 * the chunks that nobody could look at before. Resolves to how many were healed. What a collection deletes at the same moment comes
 * back as garbage for the next one; nothing that is needed is deleted.
 */
export async function heal(
  { target, domain, sealer }: Healer,
  quarantined: Quarantined,
  blob: { readonly kind: BlobKind; readonly id: string; readonly plain: Uint8Array },
): Promise<number> {
  const epochs = quarantined[blob.kind].get(blob.id) ?? []
  for (const epoch of epochs) {
    const ref = { id: blob.id, epoch }
    const key = blobKey(blob.kind, domain, ref)
    const sealed = sealer.seal(key, blob.plain)
    const stored = await target.get(key)
    // Somebody else who heals it writes the same plain bytes: whoever is first will do.
    if (stored === undefined) await target.putIfAbsent(key, sealed)
    else await target.replace(key, sealed, stored.version)
    if (blob.kind === 'chunk') await removeMarker({ target }, domain, { kind: blob.kind, ref })
  }
  return epochs.length
}
