import { LIMITS } from '../../domain/limits.ts'
import {
  ALLOCATION_CONTEXT,
  encodeName,
  encodeOption,
  EXPORT_FLAGS,
  HANDSHAKE_FLAGS,
  INFO_EXPORT,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
  protocolError,
  SERVER_MAGIC,
} from './protocol.ts'
import { DriverError } from '../../domain/errors.ts'

export interface ExportInfo {
  readonly sizeBytes: number
  readonly readOnly: boolean
  readonly canFlush: boolean
  readonly canWriteZeroes: boolean
  /** The number that the server gave base:allocation; undefined when it cannot tell allocation. */
  readonly allocationContextId: number | undefined
}

/**
 * A parser is a generator that yields the buffers it wants filled, in order: protocol code then reads top to bottom, and the
 * socket copies bytes to where they belong.
 */
export type Parser<Result> = Generator<Uint8Array, Result, void>

/** Negotiates structured replies, base:allocation where there is, and the export. Throws DriverError. */
export function* handshake(exportName: string, send: (bytes: Uint8Array) => void): Parser<ExportInfo> {
  const greeting = Buffer.alloc(18)
  yield greeting
  if (greeting.readBigUInt64BE(0) !== SERVER_MAGIC || greeting.readBigUInt64BE(8) !== OPTION_MAGIC) {
    throw protocolError('a fixed newstyle greeting', 'other bytes')
  }
  const offered = greeting.readUInt16BE(16)
  if ((offered & HANDSHAKE_FLAGS.fixedNewstyle) === 0)
    throw protocolError('fixed newstyle', 'an older dialect')
  const clientFlags = Buffer.alloc(4)
  clientFlags.writeUInt32BE(offered & (HANDSHAKE_FLAGS.fixedNewstyle | HANDSHAKE_FLAGS.noZeroes))
  send(clientFlags)

  send(encodeOption(OPTION.structuredReply))
  const structured = yield* optionReplies(OPTION.structuredReply)
  if (!structured.accepted) {
    throw new DriverError('unsupported', 'Expected the NBD server to know structured replies, it does not')
  }

  send(encodeOption(OPTION.setMetaContext, metaContextQuery(exportName)))
  const contexts = yield* optionReplies(OPTION.setMetaContext)
  const context = contexts.replies.find(({ type }) => type === OPTION_REPLY.metaContext)?.data
  const allocationContextId =
    contexts.accepted && context !== undefined && context.length >= 4 ? context.readUInt32BE(0) : undefined

  send(encodeOption(OPTION.go, Buffer.concat([encodeName(exportName), Buffer.alloc(2)])))
  const go = yield* optionReplies(OPTION.go)
  if (!go.accepted)
    throw new DriverError('notFound', 'Expected the NBD server to have the export, it refused it')
  return { ...exportInfo(go.replies), allocationContextId }
}

function metaContextQuery(exportName: string): Buffer {
  const count = Buffer.alloc(4)
  count.writeUInt32BE(1)
  return Buffer.concat([encodeName(exportName), count, encodeName(ALLOCATION_CONTEXT)])
}

interface OptionReply {
  readonly type: number
  readonly data: Buffer
}

/** Every reply to one option up to its acknowledgement or refusal. */
function* optionReplies(option: number): Parser<{ accepted: boolean; replies: OptionReply[] }> {
  const replies: OptionReply[] = []
  const header = Buffer.alloc(20)
  while (replies.length < LIMITS.nbdOptionRepliesMax) {
    yield header
    if (header.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC || header.readUInt32BE(8) !== option) {
      throw protocolError('the reply to an option', 'other bytes')
    }
    const type = header.readUInt32BE(12)
    const length = header.readUInt32BE(16)
    if (length > LIMITS.nbdControlPayloadBytes) throw protocolError('a short option reply', `${length} bytes`)
    const data = Buffer.alloc(length)
    yield data
    if (type === OPTION_REPLY.ack) return { accepted: true, replies }
    if (type >= 0x8000_0000) return { accepted: false, replies }
    replies.push({ type, data })
  }
  throw protocolError('few replies to an option', `more than ${LIMITS.nbdOptionRepliesMax}`)
}

function exportInfo(replies: readonly OptionReply[]): Omit<ExportInfo, 'allocationContextId'> {
  const info = replies.find(
    ({ type, data }) =>
      type === OPTION_REPLY.info && data.length >= 12 && data.readUInt16BE(0) === INFO_EXPORT,
  )?.data
  if (info === undefined) throw protocolError('the size of the export', 'none')
  const sizeBytes = info.readBigUInt64BE(2)
  if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) throw protocolError('a possible size', `${sizeBytes}`)
  const flags = info.readUInt16BE(10)
  return {
    sizeBytes: Number(sizeBytes),
    readOnly: (flags & EXPORT_FLAGS.readOnly) !== 0,
    canFlush: (flags & EXPORT_FLAGS.sendFlush) !== 0,
    canWriteZeroes: (flags & EXPORT_FLAGS.sendWriteZeroes) !== 0,
  }
}
