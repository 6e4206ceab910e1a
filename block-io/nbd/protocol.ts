/** Numbers and fixed-size messages of the NBD protocol (fixed newstyle, structured replies). */
import { DriverError, type DriverErrorKind } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'

export const SERVER_MAGIC = 0x4e42444d41474943n // "NBDMAGIC"
export const OPTION_MAGIC = 0x49484156454f5054n // "IHAVEOPT"
export const OPTION_REPLY_MAGIC = 0x0003e889045565a9n
export const REQUEST_MAGIC = 0x25609513
export const SIMPLE_REPLY_MAGIC = 0x67446698
export const STRUCTURED_REPLY_MAGIC = 0x668e33ef

export const HANDSHAKE_FLAGS = { fixedNewstyle: 1, noZeroes: 2 } as const
export const OPTION = { go: 7, structuredReply: 8, setMetaContext: 10 } as const
export const OPTION_REPLY = { ack: 1, info: 3, metaContext: 4 } as const
export const INFO_EXPORT = 0
/** What the server says about the export. */
export const EXPORT_FLAGS = { readOnly: 1 << 1, sendFlush: 1 << 2, sendWriteZeroes: 1 << 6 } as const
export const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, writeZeroes: 6, blockStatus: 7 } as const
export const CHUNK = {
  none: 0,
  offsetData: 1,
  offsetHole: 2,
  blockStatus: 5,
  error: 0x8001,
  errorOffset: 0x8002,
} as const
export const CHUNK_DONE = 1
export const CHUNK_IS_ERROR = 0x8000
/** In the base:allocation context: reads as zeroes. */
export const STATE_ZERO = 2
export const ALLOCATION_CONTEXT = 'base:allocation'

export type Command = (typeof COMMAND)[keyof typeof COMMAND]

export function encodeOption(option: number, data: Uint8Array = new Uint8Array()): Buffer {
  const header = Buffer.alloc(16)
  header.writeBigUInt64BE(OPTION_MAGIC, 0)
  header.writeUInt32BE(option, 8)
  header.writeUInt32BE(data.length, 12)
  return Buffer.concat([header, data])
}

export function encodeRequest(request: {
  command: Command
  cookie: number
  offset: number
  length: number
}): Buffer {
  const header = Buffer.alloc(28)
  header.writeUInt32BE(REQUEST_MAGIC, 0)
  header.writeUInt16BE(request.command, 6)
  header.writeBigUInt64BE(BigInt(request.cookie), 8)
  header.writeBigUInt64BE(BigInt(request.offset), 16)
  header.writeUInt32BE(request.length, 24)
  return header
}

/** A string with its length in front, as options carry it. */
export function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

const ERROR_KINDS: Readonly<Record<number, DriverErrorKind>> = {
  1: 'invalid', // EPERM: read-only
  22: 'invalid', // EINVAL
  28: 'full', // ENOSPC
  95: 'unsupported', // ENOTSUP
}

export function serverError(code: number, text = ''): DriverError {
  const detail = text === '' ? '' : ` (${printable(text)})`
  return new DriverError(
    ERROR_KINDS[code] ?? 'transient',
    `Expected the NBD server to carry out a request, got error ${code}${detail}`,
  )
}

export function protocolError(expected: string, got: string): DriverError {
  return new DriverError('transient', `Expected ${expected} from the NBD server, got ${got}`)
}

function printable(text: string): string {
  return text.slice(0, LIMITS.processErrorLineLength).replaceAll(/[^\x20-\x7e]/g, '?')
}
