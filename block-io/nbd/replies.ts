import type { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Extent } from '../device.ts'
import { appendExtent } from '../extents.ts'
import type { Parser } from './handshake.ts'
import {
  CHUNK,
  CHUNK_DONE,
  CHUNK_IS_ERROR,
  COMMAND,
  type Command,
  protocolError,
  serverError,
  SIMPLE_REPLY_MAGIC,
  STATE_ZERO,
  STRUCTURED_REPLY_MAGIC,
} from './protocol.ts'

/** A request that waits for its reply. */
export interface PendingRequest {
  readonly command: Command
  readonly offset: number
  readonly length: number
  /** Where the data of a read goes. */
  readonly buffer?: Uint8Array
  /** How much of the read or of the block status was answered so far. */
  answeredBytes: number
  readonly extents: Extent[]
  error?: DriverError
}

export interface PendingRequests {
  get(cookie: number): PendingRequest | undefined
  /** The last reply to a request has arrived. */
  finish(cookie: number): void
}

/** Parses replies forever. Throws DriverError at the first byte that the protocol or the pending requests do not allow. */
export function* parseReplies(pending: PendingRequests, allocationContextId?: number): Parser<never> {
  const header = Buffer.alloc(16)
  const structuredRest = Buffer.alloc(4)
  for (;;) {
    yield header
    const cookie = Number(header.readBigUInt64BE(8))
    const request = pending.get(cookie)
    if (request === undefined) throw protocolError('a reply to a request', 'a reply to none')
    const magic = header.readUInt32BE(0)
    if (magic === SIMPLE_REPLY_MAGIC) {
      const code = header.readUInt32BE(4)
      if (code !== 0) request.error = serverError(code)
      else if (request.command === COMMAND.read || request.command === COMMAND.blockStatus) {
        throw protocolError('a structured reply', 'a simple one')
      }
      pending.finish(cookie)
      continue
    }
    if (magic !== STRUCTURED_REPLY_MAGIC) throw protocolError('a reply', 'other bytes')
    yield structuredRest
    const type = header.readUInt16BE(6)
    yield* parseChunk(request, type, structuredRest.readUInt32BE(0), allocationContextId)
    if ((header.readUInt16BE(4) & CHUNK_DONE) === 0) continue
    requireComplete(request)
    pending.finish(cookie)
  }
}

function* parseChunk(
  request: PendingRequest,
  type: number,
  length: number,
  contextId?: number,
): Parser<void> {
  if ((type & CHUNK_IS_ERROR) !== 0) return yield* parseError(request, length)
  if (type === CHUNK.none && length === 0) return
  if (request.command === COMMAND.read) {
    if (type === CHUNK.offsetData) return yield* parseData(request, length)
    if (type === CHUNK.offsetHole && length === 12) return yield* parseHole(request)
  }
  if (request.command === COMMAND.blockStatus && type === CHUNK.blockStatus) {
    return yield* parseBlockStatus(request, length, contextId)
  }
  throw protocolError('a reply that fits the request', `type ${type} of ${length} bytes`)
}

function* parseData(request: PendingRequest, length: number): Parser<void> {
  const offset = Buffer.alloc(8)
  if (length <= offset.length) throw protocolError('data', `${length} bytes`)
  yield offset
  yield claim(request, offset.readBigUInt64BE(0), length - offset.length)
}

function* parseHole(request: PendingRequest): Parser<void> {
  const hole = Buffer.alloc(12)
  yield hole
  claim(request, hole.readBigUInt64BE(0), hole.readUInt32BE(8)).fill(0)
}

/**
 * The part of the reader's buffer for this piece. Pieces must come in ascending order without gap or overlap, as every server
 * that we start sends them: then a full count means that every byte was set, and nothing of the buffer's earlier use remains.
 */
function claim(request: PendingRequest, offset: bigint, length: number): Uint8Array {
  const start = request.answeredBytes
  if (offset !== BigInt(request.offset + start) || length === 0 || length > request.length - start) {
    throw protocolError('the next piece of the read', `${length} bytes at ${offset}`)
  }
  request.answeredBytes += length
  return request.buffer?.subarray(start, start + length) ?? new Uint8Array()
}

function* parseBlockStatus(request: PendingRequest, length: number, contextId?: number): Parser<void> {
  if (length < 12 || length % 8 !== 4 || length > LIMITS.nbdBlockStatusBytes) {
    throw protocolError('a list of extents', `${length} bytes`)
  }
  const list = Buffer.alloc(length)
  yield list
  if (list.readUInt32BE(0) !== contextId) throw protocolError('the allocation context', 'another one')
  for (let at = 4; at < length && request.answeredBytes < request.length; at += 8) {
    // The last extent may reach beyond what was asked for.
    const extentLength = Math.min(list.readUInt32BE(at), request.length - request.answeredBytes)
    if (extentLength === 0) throw protocolError('an extent', 'an empty one')
    const kind = (list.readUInt32BE(at + 4) & STATE_ZERO) === 0 ? 'data' : 'zero'
    appendExtent(request.extents, {
      offset: request.offset + request.answeredBytes,
      length: extentLength,
      kind,
    })
    request.answeredBytes += extentLength
  }
  if (request.extents.length > LIMITS.extentsMax) {
    throw protocolError(`at most ${LIMITS.extentsMax} extents`, 'more')
  }
}

function* parseError(request: PendingRequest, length: number): Parser<void> {
  if (length < 6 || length > LIMITS.nbdControlPayloadBytes) throw protocolError('an error', `${length} bytes`)
  const payload = Buffer.alloc(length)
  yield payload
  request.error ??= serverError(
    payload.readUInt32BE(0),
    payload.toString('utf8', 6, 6 + payload.readUInt16BE(4)),
  )
}

function requireComplete(request: PendingRequest): void {
  if (request.error !== undefined) return
  if (request.command === COMMAND.read && request.answeredBytes !== request.length) {
    throw protocolError(`${request.length} bytes`, `${request.answeredBytes}`)
  }
  if (request.command === COMMAND.blockStatus && request.answeredBytes === 0) {
    throw protocolError('at least one extent', 'none')
  }
}
