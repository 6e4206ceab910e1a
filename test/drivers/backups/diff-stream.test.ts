import { expect, test } from 'vitest'
import { filterDiff } from '../../../drivers/backups/rbd/diff-stream.ts'

const STREAM = [
  Buffer.from('rbd diff v1\n'),
  name('f', 'snapshot-1'),
  name('t', 'snapshot-2'),
  Buffer.concat([Buffer.from('s'), number(4096)]),
  Buffer.concat([Buffer.from('w'), number(512), number(300), Buffer.alloc(300, 'f')]),
  Buffer.concat([Buffer.from('z'), number(1024), number(512)]),
  Buffer.from('e'),
]
const WITHOUT_NAMES = Buffer.concat(STREAM.filter((_, index) => index !== 1 && index !== 2))

test.each([1, 2, 7, 64, 4096])('in pieces of %i bytes, only the names are left out', async (size) => {
  const positions: { offset: number; dataBytes: number }[] = []
  const filtered = await Array.fromAsync(
    filterDiff(pieces(Buffer.concat(STREAM), size), (at) => positions.push(at)),
  )
  expect(Buffer.concat(filtered).equals(WITHOUT_NAMES)).toBe(true)
  expect(positions.at(-1)).toEqual({ offset: 1536, dataBytes: 300 })
  expect(positions.map(({ offset }) => offset)).toEqual(
    positions.map(({ offset }) => offset).toSorted((a, b) => a - b),
  )
})

test('a stream that breaks off, goes on after its end, or is another one is refused', async () => {
  const whole = Buffer.concat(STREAM)
  for (const length of [0, 11, 20, 60, whole.length - 1])
    await expect(drain(whole.subarray(0, length))).rejects.toMatchObject({ kind: 'transient' })
  await expect(drain(Buffer.concat([whole, Buffer.from('x')]))).rejects.toMatchObject({ kind: 'unsupported' })
  await expect(drain(Buffer.from('rbd diff v2\nmore'))).rejects.toMatchObject({ kind: 'unsupported' })
  await expect(drain(Buffer.concat([Buffer.from('rbd diff v1\n'), Buffer.from('q')]))).rejects.toMatchObject({
    kind: 'unsupported',
  })
  const long = Buffer.concat([Buffer.from('rbd diff v1\n'), name('f', 'x'.repeat(9000)).subarray(0, 8000)])
  await expect(drain(long)).rejects.toMatchObject({ kind: 'unsupported' })
})

function drain(bytes: Buffer) {
  return Array.fromAsync(filterDiff(pieces(bytes, 16_384), () => undefined))
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function name(letter: string, text: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(text.length)
  return Buffer.concat([Buffer.from(letter), length, Buffer.from(text)])
}
