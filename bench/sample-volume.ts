/**
 * The volume that backups are measured with: 40 % random bytes, 30 % text, 30 % zeroes, in runs of 64 KiB to 16 MiB as file systems
 * leave them. The same bytes on every machine. Half of the zeroes were never written.
 */
import { open } from 'node:fs/promises'
import { GiB, KiB, MiB } from '../domain/sizes.ts'
import { pseudoRandom } from '../scripts/demo/contents.ts'

export const VOLUME_BYTES = 2 * GiB
export const VOLUME_MIB = VOLUME_BYTES / MiB

const SHARES = { random: 0.4, text: 0.3, written: 0.15, hole: 0.15 } as const
type Kind = keyof typeof SHARES
const KINDS = Object.keys(SHARES) as Kind[]
const RUN_MIN_BYTES = 64 * KiB
/** Doublings of the shortest run: every length is as likely as its half. */
const RUN_DOUBLINGS = 8
const WORDS = 4096
const WORD_BYTES_MAX = 16

export async function makeSampleVolume(path: string): Promise<void> {
  const random = numbers()
  const writeText = textWriter(random)
  await using file = await open(path, 'w')
  await file.truncate(VOLUME_BYTES)
  const done: Record<Kind, number> = { random: 0, text: 0, written: 0, hole: 0 }
  for (let offset = 0; offset < VOLUME_BYTES;) {
    const kind = KINDS.reduce((least, next) => (lag(next, done) < lag(least, done) ? next : least))
    const units = Math.floor(2 ** (random() * RUN_DOUBLINGS))
    const length = Math.min(units * RUN_MIN_BYTES, VOLUME_BYTES - offset)
    const bytes = contentOf(kind, length, { seed: `${offset}`, writeText })
    if (bytes !== undefined) await file.write(bytes, 0, length, offset)
    done[kind] += length
    offset += length
  }
  await file.sync()
}

/** How much of its share a kind has. */
function lag(kind: Kind, done: Record<Kind, number>): number {
  return done[kind] / SHARES[kind]
}

function contentOf(
  kind: Kind,
  length: number,
  { seed, writeText }: { seed: string; writeText: (into: Buffer) => void },
): Buffer | undefined {
  if (kind === 'hole') return undefined
  if (kind === 'random') return pseudoRandom(length, seed)
  const bytes = Buffer.alloc(length)
  if (kind === 'text') writeText(bytes)
  return bytes
}

/** Words of a made-up language, the first ones far more frequent: compresses to about a third, and never repeats itself for long. */
function textWriter(random: () => number): (into: Buffer) => void {
  const letters = pseudoRandom(WORD_BYTES_MAX * WORDS, 'words').map((letter) => 97 + (letter % 26))
  const lengths = pseudoRandom(WORDS, 'lengths').map((length) => 3 + (length % (WORD_BYTES_MAX - 4)))
  return (into) => {
    const end = into.byteLength
    for (let at = 0; at < end; at += 1) {
      const word = Math.floor(WORDS * random() ** 3)
      const stop = Math.min(end, at + (lengths[word] ?? 0))
      for (let letter = word * WORD_BYTES_MAX; at < stop; at += 1, letter += 1)
        into[at] = letters[letter] ?? 0
      if (at < end) into[at] = 32
    }
  }
}

/** Numbers from 0 to 1 without 1, always the same ones (xorshift). */
function numbers(): () => number {
  let state = 0x9e3779b9
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
