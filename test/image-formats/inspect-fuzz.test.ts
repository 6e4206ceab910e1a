import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DriverError } from '../../domain/errors.ts'
import { tempDir } from '../support/temp-dir.ts'
import { createEmpty, inspectFile, L1_OFFSET, makePlainSample } from './qcow2-samples.ts'

const RUNS = 400
const folder = await tempDir()
const sample = await readFile(await makePlainSample(folder))
await createEmpty(join(folder, 'v2.qcow2'), '64M', ['compat=0.10'])
const old = await readFile(join(folder, 'v2.qcow2'))
const l1 = Number(sample.readBigUInt64BE(L1_OFFSET))
const l2 = Number(sample.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n)

const value = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.integer({ min: 0, max: 63 }).map((bit) => 1n << BigInt(bit)),
  fc.constantFrom(0n, 1n, 0xffff_ffffn, 0xffff_ffff_ffff_ffffn, 0x7fff_ffff_ffff_ffffn),
)

/** Anywhere in the header and the first entries of the tables, of 1, 4 or 8 bytes. */
const mutation = fc.record({
  offset: fc.oneof(
    fc.integer({ min: 0, max: 200 }),
    fc.constantFrom(20, 24, 36, 40, 48, 56, 60, 72, 96, 100),
    fc.integer({ min: l1, max: l1 + 16 }),
    fc.integer({ min: l2, max: l2 + 256 }),
  ),
  width: fc.constantFrom(1, 4, 8),
  value,
})

test('whatever is changed in a qcow2, the answer is a size or a DriverError, soon', async () => {
  const slowest = { ms: 0 }
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.option(fc.nat(sample.length)),
      async (isOld, mutations, cutAt) => {
        const bytes = mutated(isOld ? old : sample, mutations).subarray(0, cutAt ?? undefined)
        const path = join(folder, 'fuzz.qcow2')
        await writeFile(path, bytes)
        const started = performance.now()
        for (const format of ['qcow2', 'raw'] as const) {
          const result = await inspectFile(path, format).catch((error: unknown) => error)
          if (result instanceof Error) {
            expect(result).toBeInstanceOf(DriverError)
            expect(result).toMatchObject({
              kind: 'invalid',
              message: expect.stringMatching(/^Expected .*got|^Expected .*ends/),
            })
          } else accepted++
        }
        slowest.ms = Math.max(slowest.ms, performance.now() - started)
      },
    ),
    { numRuns: RUNS },
  )
  expect(slowest.ms).toBeLessThan(2_000)
  expect(accepted).toBeGreaterThan(0)
})

function mutated(original: Buffer, mutations: { offset: number; width: number; value: bigint }[]): Buffer {
  const bytes = Buffer.from(original)
  const piece = Buffer.alloc(8)
  for (const { offset, width, value } of mutations) {
    piece.writeBigUInt64BE(value)
    piece.copy(bytes, offset, 8 - width)
  }
  return bytes
}
