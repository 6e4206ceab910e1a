import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NbdClient } from '../../../block-io/nbd/client.ts'
import { openNbdReader } from '../../../block-io/nbd/reader.ts'
import { DriverError } from '../../../domain/errors.ts'
import {
  bytes,
  chunk,
  EXPORT_SIZE,
  fakeServer,
  GOOD_HANDSHAKE,
  GREETING,
  optionReply,
  REQUEST_BYTES,
  type Script,
} from './fake-server.ts'

const STALL_MS = 150

/** Reads 8 bytes at 0 and asks for extents: what a caller would see. */
async function use(socketPath: string, operation: 'read' | 'extents' = 'read'): Promise<unknown> {
  const client = await NbdClient.connect({ socketPath, exportName: 'x', stallMs: STALL_MS })
  const buffer = Buffer.alloc(8, 0xaa)
  try {
    if (operation === 'extents') return await client.blockStatus(0, EXPORT_SIZE)
    await client.read(buffer, 0)
    return buffer
  } finally {
    await client.close()
  }
}

async function failureOf(
  script: Script,
  operation?: 'read' | 'extents',
  thenClose = false,
): Promise<unknown> {
  const { socketPath } = await fakeServer(script, { thenClose })
  return use(socketPath, operation).then(
    () => 'no failure',
    (error: unknown) => error,
  )
}

const answering = (say: Uint8Array): Script => [...GOOD_HANDSHAKE, { after: REQUEST_BYTES, say }]
const DONE = 1
const data = (offset: number | bigint, length: number) => bytes([64, offset], Buffer.alloc(length, 7))

test('a correct script works, so that the failures below have the reasons that they claim', async () => {
  const { socketPath } = await fakeServer(answering(chunk(DONE, 1, data(0, 8))), { thenClose: false })
  expect(await use(socketPath)).toEqual(Buffer.alloc(8, 7))
})

const handshakes: readonly (readonly [string, Script])[] = [
  ['nothing', []],
  ['half a greeting', [{ after: 0, say: GREETING.subarray(0, 9) }]],
  ['HTTP', [{ after: 0, say: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') }]],
  [
    'an oldstyle greeting',
    [{ after: 0, say: bytes([64, 0x4e42444d41474943n], [64, 0x00420281861253n], [16, 0]) }],
  ],
  ['a greeting without fixed newstyle', [{ after: 0, say: GREETING.with(17, 0) }]],
  [
    'no structured replies',
    [
      { after: 0, say: GREETING },
      { after: 20, say: optionReply(8, 0x80000001) },
    ],
  ],
  [
    'the reply to another option',
    [
      { after: 0, say: GREETING },
      { after: 20, say: optionReply(3, 1) },
    ],
  ],
  [
    'an option reply of 4 GiB',
    [
      { after: 0, say: GREETING },
      { after: 20, say: bytes(optionReply(8, 1).subarray(0, 16), [32, 0xffffffff]) },
    ],
  ],
  [
    'endless option replies',
    [
      { after: 0, say: GREETING },
      { after: 20, say: Buffer.concat(Array.from({ length: 1000 }, () => optionReply(8, 3))) },
    ],
  ],
  ['no export of that name', [...GOOD_HANDSHAKE.slice(0, 3), { after: 23, say: optionReply(7, 0x80000006) }]],
  ['an export without a size', [...GOOD_HANDSHAKE.slice(0, 3), { after: 23, say: optionReply(7, 1) }]],
  [
    'a size of 2^63',
    [
      ...GOOD_HANDSHAKE.slice(0, 3),
      {
        after: 23,
        say: Buffer.concat([optionReply(7, 3, bytes([16, 0], [64, 1n << 63n], [16, 0])), optionReply(7, 1)]),
      },
    ],
  ],
]

test.each(handshakes)(
  'a server that answers the handshake with %s ends in a DriverError',
  async (_name, script) => {
    expect(await failureOf(script)).toBeInstanceOf(DriverError)
    expect(await failureOf(script, 'read', true)).toBeInstanceOf(DriverError)
  },
)

const reads: readonly (readonly [string, Uint8Array])[] = [
  ['silence', new Uint8Array()],
  ['half a header', chunk(DONE, 1, data(0, 8)).subarray(0, 10)],
  ['half of the data', chunk(DONE, 1, data(0, 8)).subarray(0, 33)],
  ['too little data', chunk(DONE, 1, data(0, 4))],
  ['too much data', chunk(DONE, 1, data(0, 9))],
  ['no data', chunk(DONE, 0, new Uint8Array())],
  ['an empty piece', chunk(DONE, 1, data(0, 0))],
  ['data for another offset', chunk(DONE, 1, data(4, 4))],
  ['data at an offset of 2^64 - 1', chunk(DONE, 1, data((1n << 64n) - 1n, 8))],
  ['the same piece twice', Buffer.concat([chunk(0, 1, data(0, 4)), chunk(DONE, 1, data(0, 4))])],
  ['a hole that is too long', chunk(DONE, 2, bytes([64, 0], [32, 0xffffffff]))],
  ['a hole of another length of message', chunk(DONE, 2, bytes([64, 0], [32, 8], [32, 0]))],
  ['a reply to an unknown request', chunk(DONE, 1, data(0, 8), 16, 99)],
  ['a simple reply', bytes([32, 0x67446698], [32, 0], [64, 1], Buffer.alloc(8))],
  ['block status', chunk(DONE, 5, bytes([32, 1], [32, 8], [32, 0]))],
  ['a chunk type that does not exist', chunk(DONE, 77, Buffer.alloc(8))],
  ['an error message of 4 GiB', chunk(DONE, 0x8001, bytes([32, 5], [16, 0xffff]), 0xffffffff)],
  ['an error', chunk(DONE, 0x8001, bytes([32, 5], [16, 3], Buffer.from('a\u0007b')))],
  ['a wrong magic', Buffer.alloc(64, 0x41)],
]

test.each(reads)('a server that answers a read with %s ends in a DriverError', async (name, answer) => {
  const failure = await failureOf(answering(answer))
  expect(failure).toBeInstanceOf(DriverError)
  // Only what is incomplete needs the clock to be recognised.
  expect(String(failure).includes('within')).toBe(/silence|half/.test(name))
  expect(await failureOf(answering(answer), 'read', true)).toBeInstanceOf(DriverError)
})

const extents: readonly (readonly [string, Uint8Array])[] = [
  ['no extent', chunk(DONE, 5, bytes([32, 1]))],
  ['an empty extent', chunk(DONE, 5, bytes([32, 1], [32, 0], [32, 0]))],
  ['half an extent', chunk(DONE, 5, bytes([32, 1], [32, 8], [32, 0], [16, 0]))],
  ['another context', chunk(DONE, 5, bytes([32, 2], [32, 8], [32, 0]))],
  ['nothing but success', chunk(DONE, 0, new Uint8Array())],
  ['a list of 4 GiB', chunk(DONE, 5, bytes([32, 1]), 0xfffffffc)],
]

test.each(extents)(
  'a server that answers block status with %s ends in a DriverError',
  async (_name, answer) => {
    expect(await failureOf(answering(answer), 'extents')).toBeInstanceOf(DriverError)
  },
)

test.each([
  [28, 'full'],
  [22, 'invalid'],
  [95, 'unsupported'],
  [5, 'transient'],
] as const)(
  'error %i of the server becomes the kind %s, and its text cannot control a terminal',
  async (code, kind) => {
    const answer = chunk(DONE, 0x8001, bytes([32, code], [16, 3], Buffer.from('a\u001bb')))
    expect(await failureOf(answering(answer))).toMatchObject({
      kind,
      message: expect.stringContaining('a?b'),
    })
  },
)

test('an extent that reaches beyond the question is cut', async () => {
  const { socketPath } = await fakeServer(
    answering(chunk(DONE, 5, bytes([32, 1], [32, 0xffffffff], [32, 3]))),
    { thenClose: false },
  )
  expect(await use(socketPath, 'extents')).toEqual([{ offset: 0, length: EXPORT_SIZE, kind: 'zero' }])
})

test('an export smaller than expected is corrupt', async () => {
  const { socketPath } = await fakeServer(GOOD_HANDSHAKE, { thenClose: false })
  const opened = openNbdReader({ kind: 'nbd', socketPath, exportName: 'x', sizeBytes: EXPORT_SIZE + 512 })
  await expect(opened).rejects.toMatchObject({ kind: 'corrupt' })
})

test('no socket is a DriverError', async () => {
  await expect(use('/nonexistent/socket')).rejects.toMatchObject({ name: 'DriverError', kind: 'transient' })
})

test('closing the client ends what it waits for', async () => {
  const { socketPath } = await fakeServer(GOOD_HANDSHAKE, { thenClose: false })
  const client = await NbdClient.connect({ socketPath, exportName: 'x' })
  const reading = client.read(Buffer.alloc(8), 0).catch((error: unknown) => error)
  await client.close()
  await client.close()
  expect(await reading).toBeInstanceOf(DriverError)
  await expect(client.read(Buffer.alloc(8), 0)).rejects.toBeInstanceOf(DriverError)
})

test(
  'flipped, cut and random bytes after any step never hang and never throw anything else',
  { timeout: 60_000 },
  async () => {
    const good = answering(chunk(DONE, 1, data(0, 8)))
    const damage = fc.record({
      step: fc.nat({ max: good.length - 1 }),
      at: fc.nat({ max: 40 }),
      garbage: fc.uint8Array({ maxLength: 64 }),
      keepRest: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(damage, async ({ step, at, garbage, keepRest }) => {
        const script = good.map(({ after, say }, index) => {
          if (index !== step) return { after, say }
          const rest = keepRest ? say.subarray(at + garbage.length) : new Uint8Array()
          return { after, say: Buffer.concat([say.subarray(0, at), garbage, rest]) }
        })
        const outcome = await failureOf(script, 'read', true)
        expect(outcome === 'no failure' || outcome instanceof DriverError).toBe(true)
      }),
      { numRuns: 200 },
    )
  },
)
