import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createStreamHasher } from '../../image-formats/hashing.ts'
import { pseudoRandom } from '../support/small-images.ts'

test('the digests are those of node:crypto, for several streams at once', async () => {
  const streams = [0, 1, 70_000, 3_000_000].map((length) => pseudoRandom(length, length))
  const digests = await Promise.all(streams.map((bytes) => hashInPieces(bytes, 65_536)))
  expect(digests).toEqual(
    streams.map((bytes) => ({
      md5: createHash('md5').update(bytes).digest('hex'),
      sha512: createHash('sha512').update(bytes).digest('hex'),
    })),
  )
})

test('a buffer can be filled anew once update resolved', async () => {
  const hasher = createStreamHasher()
  const block = new Uint8Array(new SharedArrayBuffer(1024))
  for (const value of [1, 2, 3]) {
    block.fill(value)
    await hasher.update(block)
  }
  const expected = Buffer.concat([1, 2, 3].map((value) => Buffer.alloc(1024, value)))
  expect(await hasher.digest()).toMatchObject({ md5: createHash('md5').update(expected).digest('hex') })
})

test('a discarded stream leaves the others alone', async () => {
  const discarded = createStreamHasher()
  await discarded.update(new Uint8Array(new SharedArrayBuffer(16)))
  discarded.discard()
  const { md5 } = await hashInPieces(Buffer.from('abc'), 1)
  expect(md5).toBe('900150983cd24fb0d6963f7d28e17f72')
})

async function hashInPieces(bytes: Buffer, pieceBytes: number) {
  const hasher = createStreamHasher()
  const block = new Uint8Array(new SharedArrayBuffer(pieceBytes))
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes)
    block.set(piece)
    await hasher.update(block.subarray(0, piece.length))
  }
  return hasher.digest()
}
