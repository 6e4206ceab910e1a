import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeEntry,
  encodeEntry,
  ENTRY_BYTES,
  entriesOf,
  type Entry,
  writeEntry,
} from '../../backup-format/entry.ts'
import { createSealer } from '../../backup-format/envelope.ts'
import { domainKeys } from '../../backup-format/keys.ts'
import { KeySet } from '../../backup-format/key-set.ts'
import { blobName, parseBlobName } from '../../backup-format/names.ts'
import { touchedChunks } from '../../backup-format/touched-chunks.ts'
import { KEY } from './fixtures.ts'

const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const epoch = fc.integer({ min: 1, max: 0xffffffff })
const entry: fc.Arbitrary<Entry> = fc.record({
  id,
  epoch,
  objectBytes: fc.integer({ min: 0, max: 0xffffffff }),
})
const entryOrZero = fc.option(entry, { nil: undefined })

describe('an entry', () => {
  it('survives being written into a page among others', () => {
    fc.assert(
      fc.property(fc.array(entryOrZero, { maxLength: 40 }), (entries) => {
        const page = Buffer.alloc(entries.length * ENTRY_BYTES, 0xff)
        entries.forEach((value, slot) => writeEntry(page, slot, value))
        expect([...entriesOf(page)]).toEqual(entries)
      }),
    )
  })

  it('survives the journal', () => {
    fc.assert(
      fc.property(entryOrZero, (value) => {
        expect(decodeEntry(encodeEntry(value))).toEqual(value)
      }),
    )
  })

  it('has a name that leads back to it, and no other text is such a name', () => {
    fc.assert(
      fc.property(id, epoch, (value, number) => {
        expect(parseBlobName(blobName({ id: value, epoch: number }))).toEqual({ id: value, epoch: number })
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseBlobName(text)
        expect(parsed === undefined || blobName(parsed) === text).toBe(true)
      }),
    )
  })
})

const REPOSITORY = { repoId: 'repo', version: 2 }

describe('a sealed object', () => {
  const sealer = createSealer(domainKeys(KEY, REPOSITORY))
  const other = createSealer(domainKeys(Buffer.alloc(32, 8), REPOSITORY))

  it('opens to what was sealed, with another session too, but under no other name or domain', () => {
    const again = createSealer(domainKeys(KEY, REPOSITORY))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (plain) => {
        const sealed = sealer.seal('d/domain/c/aa/x', plain)
        expect(again.open('chunk', 'd/domain/c/aa/x', sealed).equals(plain)).toBe(true)
        expect(() => again.open('chunk', 'd/domain/c/aa/y', sealed)).toThrow('intact')
        expect(() => other.open('chunk', 'd/domain/c/aa/x', sealed)).toThrow('intact')
      }),
    )
  })

  it('says so, whatever bytes it is given instead', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        const sealed = Buffer.concat([Buffer.from('VFBO\x01'), noise])
        expect(() => sealer.open('record', 'r', sealed)).toThrow(/Expected record r to be intact/)
      }),
    )
  })
})

describe('a set of keys', () => {
  it('has what was added, and nothing else', () => {
    const ref = fc.record({ id, epoch: fc.integer({ min: 1, max: 5 }) })
    fc.assert(
      fc.property(fc.uniqueArray(ref, { selector: blobName, maxLength: 3000, minLength: 600 }), (refs) => {
        const set = new KeySet()
        const [added, rest] = [refs.slice(0, refs.length / 2), refs.slice(refs.length / 2)]
        for (const value of added) expect(set.add(value)).toBe(true)
        for (const value of added) expect(set.add(value)).toBe(false)
        expect(set.size).toBe(added.length)
        expect(added.every((value) => set.has(value))).toBe(true)
        expect(rest.some((value) => set.has(value))).toBe(false)
      }),
      { numRuns: 10 },
    )
  })
})

describe('a list of extents', () => {
  it('touches exactly the chunks in which one of its bytes lies', () => {
    const extent = fc.record({
      offset: fc.nat(200),
      length: fc.nat(60),
      kind: fc.constant('data' as const),
    })
    fc.assert(
      fc.property(fc.array(extent, { maxLength: 12 }), (extents) => {
        const touched = touchedChunks(extents, 10)
        for (let chunk = 0; chunk < 30; chunk += 1) {
          const expected = extents.some(
            ({ offset, length }) => length > 0 && offset < (chunk + 1) * 10 && offset + length > chunk * 10,
          )
          expect(touched(chunk)).toBe(expected)
        }
      }),
    )
  })
})
