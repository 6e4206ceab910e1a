/**
 * What `rbd export-diff` writes (Ceph's doc/dev/rbd-diff.rst, version 1): a line, then records of one letter each. The names of the
 * snapshots are left out: they are the volume's, and whoever imports the rest names his own.
 */
import { DriverError } from '../../../domain/errors.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'

const BANNER = 'rbd diff v1\n'
const LETTER_BYTES = 1
const LENGTH_BYTES = 4
const NUMBER_BYTES = 8
const NAMES = ['f', 't']

export interface DiffPosition {
  /** In the volume: everything before it has passed. */
  readonly offset: number
  readonly dataBytes: number
}

interface DiffRecord {
  readonly letter: string
  /** Without the data behind it. */
  readonly lengthBytes: number
  readonly offset: number
  readonly dataBytes: number
}

/** Bytes in, bytes out; `onPosition` is called for each piece before it is handed on. Throws where the stream ends early. */
export async function* filterDiff(
  stream: AsyncIterable<Buffer>,
  onPosition: (position: DiffPosition) => void,
): AsyncGenerator<Buffer> {
  const parser = new DiffParser()
  for await (const piece of stream) {
    const passed = parser.pass(piece)
    onPosition(parser.position)
    yield* passed
  }
  if (!parser.ended)
    throw new DriverError('transient', 'Expected the whole of an exported volume, got a part')
}

class DiffParser {
  ended = false
  #pending: Buffer = Buffer.alloc(0)
  #hasBanner = false
  #record: DiffRecord | undefined
  #leftBytes = 0
  #dataBytes = 0

  get position(): DiffPosition {
    const { offset = 0, dataBytes = 0 } = this.#record ?? {}
    return { offset: offset + dataBytes - this.#leftBytes, dataBytes: this.#dataBytes }
  }

  pass(piece: Buffer): Buffer[] {
    const passed: Buffer[] = []
    let rest = this.#pending.length === 0 ? piece : Buffer.concat([this.#pending, piece])
    while (rest.length > 0) {
      const taken = this.#leftBytes > 0 ? this.#takeData(rest) : this.#takeRecord(rest)
      if (taken === undefined) break
      if (taken.keep) passed.push(rest.subarray(0, taken.lengthBytes))
      rest = rest.subarray(taken.lengthBytes)
    }
    if (rest.length > RBD_LIMITS.rbdDiffHeaderBytes) throw unknownStream()
    this.#pending = rest
    return passed
  }

  #takeData({ length }: Buffer): { lengthBytes: number; keep: boolean } {
    const lengthBytes = Math.min(length, this.#leftBytes)
    this.#leftBytes -= lengthBytes
    this.#dataBytes += lengthBytes
    return { lengthBytes, keep: true }
  }

  /** Undefined: there is more of it to come. */
  #takeRecord(bytes: Buffer): { lengthBytes: number; keep: boolean } | undefined {
    if (!this.#hasBanner) {
      if (bytes.length < BANNER.length) return undefined
      if (bytes.toString('latin1', 0, BANNER.length) !== BANNER) throw unknownStream()
      this.#hasBanner = true
      return { lengthBytes: BANNER.length, keep: true }
    }
    const record = this.ended ? undefined : readRecord(bytes)
    if (this.ended) throw unknownStream()
    if (record === undefined) return undefined
    if (record.letter === 'e') this.ended = true
    if (record.offset >= 0) this.#record = record
    if (record.letter === 'w') this.#leftBytes = record.dataBytes
    return { lengthBytes: record.lengthBytes, keep: !NAMES.includes(record.letter) }
  }
}

function readRecord(bytes: Buffer): DiffRecord | undefined {
  const letter = String.fromCodePoint(bytes[0] ?? 0)
  const none = { letter, offset: -1, dataBytes: 0 }
  const whole = (record: DiffRecord) => (record.lengthBytes <= bytes.length ? record : undefined)
  switch (letter) {
    case 'e':
      return { ...none, lengthBytes: LETTER_BYTES }
    case 's':
      return whole({ ...none, lengthBytes: LETTER_BYTES + NUMBER_BYTES })
    case 'f':
    case 't': {
      if (bytes.length < LETTER_BYTES + LENGTH_BYTES) return undefined
      const nameBytes = bytes.readUInt32LE(LETTER_BYTES)
      return whole({ ...none, lengthBytes: LETTER_BYTES + LENGTH_BYTES + nameBytes })
    }
    case 'w':
    case 'z': {
      const lengthBytes = LETTER_BYTES + 2 * NUMBER_BYTES
      if (bytes.length < lengthBytes) return undefined
      const [offset, dataBytes] = [1, 1 + NUMBER_BYTES].map((at) => Number(bytes.readBigUInt64LE(at)))
      return { letter, lengthBytes, offset: offset ?? 0, dataBytes: dataBytes ?? 0 }
    }
    default:
      throw unknownStream()
  }
}

function unknownStream(): DriverError {
  return new DriverError(
    'unsupported',
    'Expected what rbd export-diff of Ceph 16 to 20 writes, got something else',
  )
}
