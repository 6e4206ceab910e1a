import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runProcess } from '../../block-io/process.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { tempDir } from '../support/temp-dir.ts'
import {
  CONTENT,
  createEmpty,
  HEADER_END,
  inspectFile,
  inspectPatched,
  makePlainSample,
  MiB,
  type Patcher,
} from './qcow2-samples.ts'

const folder = await tempDir()
const plain = await makePlainSample(folder)

describe('what qemu-img makes is accepted:', () => {
  test('a plain image', async () => {
    expect(await inspectFile(plain, 'qcow2')).toEqual({
      format: 'qcow2',
      virtualSizeBytes: CONTENT.sizeBytes,
    })
  })

  test('a compressed image, with zlib and with zstd', async () => {
    const zlib = join(folder, 'zlib.qcow2')
    await makeQcow2Image(zlib, CONTENT, { compressed: true })
    const zstd = join(folder, 'zstd.qcow2')
    const options = ['-c', '-o', 'compression_type=zstd']
    await runProcess('qemu-img', ['convert', '-f', 'qcow2', '-O', 'qcow2', ...options, plain, zstd])
    for (const path of [zlib, zstd]) {
      expect(await inspectFile(path, 'qcow2')).toMatchObject({ virtualSizeBytes: CONTENT.sizeBytes })
    }
  })

  test.each([
    ['version 2', '64M', ['compat=0.10']],
    ['clusters of 512 B', '64M', ['cluster_size=512']],
    ['clusters of 2 MiB', '100G', ['cluster_size=2M']],
    ['preallocated metadata', '256M', ['preallocation=metadata']],
    ['lazy refcounts and 64-bit refcounts', '64M', ['lazy_refcounts=on', 'refcount_bits=64']],
    ['an end within a cluster', '1049088', []],
    ['64 TiB', '64T', []],
  ])('an empty image with %s', async (name, size, options) => {
    const path = join(folder, `${name}.qcow2`)
    await createEmpty(path, size, options)
    await expect(inspectFile(path, 'qcow2')).resolves.toMatchObject({ format: 'qcow2' })
  })

  test('data in every cluster, small clusters, and text that compresses well', async () => {
    const raw = join(folder, 'text.raw')
    await writeFile(raw, Buffer.alloc(3 * MiB + 512, 'the same line again and again, but not quite\n'))
    for (const options of [
      ['-o', 'cluster_size=512'],
      ['-c'],
      ['-c', '-o', 'cluster_size=4096'],
      ['-c', '-o', 'cluster_size=512'],
    ]) {
      const path = `${raw}.qcow2`
      await runProcess('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, path])
      await expect(inspectFile(path, 'qcow2')).resolves.toMatchObject({ virtualSizeBytes: 3 * MiB + 512 })
    }
  })

  test('an image that a guest wrote to at its very end', async () => {
    const path = join(folder, 'end.qcow2')
    await createEmpty(path, `${MiB + 512}`)
    await runProcess('qemu-io', ['-f', 'qcow2', '-c', `write ${MiB} 512`, '-c', 'write -z 128k 64k', path])
    await expect(inspectFile(path, 'qcow2')).resolves.toMatchObject({ virtualSizeBytes: MiB + 512 })
  })
})

type Case = [name: string, patch: (file: Patcher) => Promise<void>, message: RegExp]

const feature = (bit: number) => (file: Patcher) => file.u64(72, 1n << BigInt(bit))

const MALICIOUS: Case[] = [
  ['another magic', (f) => f.text(0, 'XFI\xfb'), /a qcow2 image, got raw bytes/],
  ['version 1', (f) => f.u32(4, 1), /version 2 or 3, got version 1/],
  ['version 4', (f) => f.u32(4, 4), /got version 4/],
  [
    'a backing file',
    async (f) => {
      await f.u64(8, 512n)
      await f.u32(16, 11)
      await f.text(512, '/etc/shadow')
    },
    /stands alone, got one with a backing file/,
  ],
  ['a backing file name without a place', (f) => f.u32(16, 5), /backing file/],
  ['clusters of 1 byte', (f) => f.u32(20, 0), /cluster_bits 0/],
  ['clusters of 256 bytes', (f) => f.u32(20, 8), /cluster_bits 8/],
  ['clusters of 4 MiB', (f) => f.u32(20, 22), /cluster_bits 22/],
  ['clusters of 2 GiB', (f) => f.u32(20, 31), /cluster_bits 31/],
  ['a virtual size of 0', (f) => f.u64(24, 0n), /whole sectors, at most 64 TiB, got 0 bytes/],
  ['a virtual size of 2 PiB', (f) => f.u64(24, 1n << 51n), /at most 64 TiB/],
  ['a virtual size of 8 EiB', (f) => f.u64(24, 1n << 63n), /at most 64 TiB/],
  ['a virtual size with half a sector', (f) => f.u64(24, 64n * 1024n * 1024n - 100n), /whole sectors/],
  ['AES encryption', (f) => f.u32(32, 1), /not encrypted/],
  ['LUKS encryption', (f) => f.u32(32, 2), /not encrypted/],
  ['an L1 table of 2^31 entries', (f) => f.u32(36, 2 ** 31), /L1 table of 1 entries/],
  ['an L1 table that is too short', (f) => f.u32(36, 0), /L1 table of 1 entries for 64 MiB, got one of 0/],
  ['an L1 table off its boundary', (f) => f.u64(40, 0x30008n), /L1 table on a cluster boundary/],
  ['an L1 table over the header', (f) => f.u64(40, 0n), /behind the header/],
  ['an L1 table behind the end', (f) => f.u64(40, 1n << 40n), /a whole file.*L1 table/],
  ['an L1 table at 2^63', (f) => f.u64(40, 1n << 63n), /a whole file.*L1 table/],
  ['a refcount table off its boundary', (f) => f.u64(48, 0x10001n), /refcount table on a cluster boundary/],
  ['a refcount table over the header', (f) => f.u64(48, 0n), /refcount table.*behind the header/],
  ['a refcount table behind the end', (f) => f.u64(48, 1n << 40n), /a whole file.*refcount table/],
  ['no refcount table', (f) => f.u32(56, 0), /refcount table of at most 8 MiB, got 0 B/],
  ['a refcount table of 256 TiB', (f) => f.u32(56, 2 ** 32 - 1), /refcount table of at most 8 MiB/],
  ['an internal snapshot', (f) => f.u32(60, 1), /without internal snapshots, got one with 1/],
  ['a huge table of snapshots', (f) => f.u32(60, 2 ** 32 - 1), /internal snapshots/],
  ['the dirty bit', feature(0), /not closed cleanly.*qemu-img check/],
  ['the corrupt bit', feature(1), /marked as corrupt/],
  ['an external data file', feature(2), /keeps its data in another file/],
  ['the bit of another compression, but none named', feature(3), /compression type 1/],
  ['extended L2 entries', feature(4), /extended L2/],
  ['an unknown feature', feature(5), /feature bits 0x20/],
  ['the highest unknown feature', feature(63), /feature bits 0x8000000000000000/],
  ['a refcount order of 7', (f) => f.u32(96, 7), /refcount order of at most 6/],
  ['a header of 72 bytes', (f) => f.u32(100, 72), /header of 104 or 112 bytes, got one of 72/],
  ['a header of 4 GiB', (f) => f.u32(100, 2 ** 32 - 1), /header of 104 or 112 bytes/],
  ['a compression type without its bit', (f) => f.u32(104, 0x01000000), /compression type 0.*got 1/],
  [
    'the name of a backing format',
    async (f) => {
      await f.u32(HEADER_END, 0xe2792aca)
      await f.u32(HEADER_END + 4, 3)
    },
    /header extension.*backing file format/,
  ],
  [
    'the name of a data file',
    async (f) => {
      await f.u32(HEADER_END, 0x44415441)
      await f.u32(HEADER_END + 4, 5)
    },
    /name of an external data file/,
  ],
  ['dirty bitmaps', (f) => f.u32(HEADER_END, 0x23852875), /dirty bitmaps/],
  ['an unknown extension', (f) => f.u32(HEADER_END, 0x12345678), /type 0x12345678/],
  [
    'an extension longer than its cluster',
    (f) => f.u32(HEADER_END + 4, 2 ** 32 - 1),
    /extensions within one cluster/,
  ],
  ['an L2 table over the header', async (f) => f.u64(await f.l1(), 1n), /L2 tables on cluster boundaries/],
  ['an L2 table behind the end', async (f) => f.u64(await f.l1(), 1n << 50n), /whole file.*cut short/],
  [
    'an L2 table off its boundary',
    async (f) => f.u64(await f.l1(), 0x40200n),
    /L2 tables on cluster boundaries/,
  ],
  ['reserved bits in the L1 table', async (f) => f.u64(await f.l1(), 0x7e00_0000_0004_0000n), /L2 tables on/],
  ['data behind the end', async (f) => f.u64(await f.l2(), 1n << 50n), /whole file.*cut short/],
  ['data off a boundary', async (f) => f.u64(await f.l2(), 0x50200n), /clusters on cluster boundaries/],
  [
    'reserved bits in an L2 table',
    async (f) => f.u64(await f.l2(), 0x50002n),
    /clusters on cluster boundaries/,
  ],
  [
    'compressed data behind the end',
    async (f) => f.u64(await f.l2(), (1n << 62n) | (1n << 40n)),
    /cut short/,
  ],
  ['compressed data in the header', async (f) => f.u64(await f.l2(), (1n << 62n) | 40n), /behind the header/],
  [
    'a bomb: every entry points to one cluster',
    async (f) => {
      const table = await f.l2()
      const cluster = await f.readU64(table)
      for (let index = 0; index < 8192; index++) await f.u64(table + 8 * index, cluster)
    },
    /each cluster to be used once/,
  ],
  [
    'a bomb: every L1 entry points to one table',
    async (f) => {
      const [l1, table] = [await f.l1(), await f.readU64(await f.l1())]
      await f.u64(24, 1n << 40n)
      await f.u32(36, 2048)
      for (let index = 0; index < 2048; index++) await f.u64(l1 + 8 * index, table)
    },
    /each L2 table to be used once/,
  ],
  ['half of its bytes', async (f) => f.truncate(Math.floor((await f.size()) / 2)), /cut short/],
  ['its last cluster missing', async (f) => f.truncate((await f.size()) - 65_536), /cut short/],
  ['nothing but its header', (f) => f.truncate(112), /a whole file/],
  ['nothing but its magic', (f) => f.truncate(4), /a whole qcow2 header, got a file of 4 bytes/],
  ['no bytes at all', (f) => f.truncate(0), /got an empty file/],
]

describe('a qcow2 is refused that has', () => {
  test.each(MALICIOUS)('%s', async (_name, patch, message) => {
    await expect(inspectPatched(plain, patch)).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'invalid',
      message: expect.stringMatching(message),
    })
  })

  test('a bomb of 2 GiB in 1 MiB: four L2 tables full of one compressed cluster', async () => {
    const path = join(folder, 'bomb.qcow2')
    await createEmpty(path, '4T')
    const refusal = inspectPatched(path, async (file) => {
      const [l1, table] = [await file.l1(), MiB / 2]
      const entries = Buffer.alloc(4 * 65_536)
      for (let entry = 0; entry < 4; entry++) await file.u64(l1 + 8 * entry, BigInt(table + 65_536 * entry))
      for (let at = 0; at < entries.length; at += 8) {
        entries.writeBigUInt64BE((1n << 62n) | (1n << 54n) | 0x50000n, at)
      }
      await file.handle.write(entries, 0, entries.length, table)
    })
    await expect(refusal).rejects.toMatchObject({
      message: expect.stringMatching(/each cluster to be used once/),
    })
  })

  test('more tables than a disk with clusters of 64 KiB needs, in two seconds at most', async () => {
    const path = join(folder, 'tables.qcow2')
    await createEmpty(path, '64T', ['cluster_size=1M'])
    const before = process.cpuUsage()
    const refusal = inspectPatched(path, async (file) => {
      const l1 = await file.l1()
      await file.truncate(400 * MiB)
      for (let entry = 0; entry < 257; entry++) await file.u64(l1 + 8 * entry, BigInt((16 + entry) * MiB))
    })
    await expect(refusal).rejects.toMatchObject({
      message: expect.stringMatching(/L2 tables of at most 256 MiB/),
    })
    expect(process.cpuUsage(before).user).toBeLessThan(2_000_000)
  })
})

describe('bytes declared as raw', () => {
  test('are accepted, and their size is rounded up to sectors', async () => {
    const path = join(folder, 'disk.raw')
    await writeFile(path, Buffer.alloc(1025, 7))
    expect(await inspectFile(path, 'raw')).toEqual({ format: 'raw', virtualSizeBytes: 1536 })
  })

  test.each(['qcow2', 'vmdk', 'vhdx', 'vpc', 'vdi', 'qed', 'parallels', 'qcow'])(
    'are refused when qemu-img made them as %s, and as qcow2 too',
    async (format) => {
      const path = join(folder, `container.${format}`)
      await runProcess('qemu-img', ['create', '-q', '-f', format, path, '64M'])
      await expect(inspectFile(path, 'raw')).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(/^Expected a raw disk, got a .*convert it with qemu-img/),
      })
      if (format !== 'qcow2')
        await expect(inspectFile(path, 'qcow2')).rejects.toMatchObject({ kind: 'invalid' })
    },
  )

  test('are refused when a VHD footer ends them', async () => {
    const path = join(folder, 'fixed.vhd')
    await runProcess('qemu-img', ['create', '-q', '-f', 'vpc', '-o', 'subformat=fixed', path, '8M'])
    await expect(inspectFile(path, 'raw')).rejects.toMatchObject({
      message: expect.stringMatching(/VHD \(fixed\)/),
    })
  })

  test.each([
    ['LUKS', 'LUKS\xba\xbe\x00\x02', 0, /LUKS.*decrypt/],
    ['a VMDK descriptor', '# Disk DescriptorFile\nRW 1 FLAT "/etc/shadow" 0', 0, /VMDK descriptor/],
    ['gzip', '\x1f\x8b\x08', 0, /gzip.*unpack/],
    ['xz', '\xfd7zXZ\x00', 0, /xz.*unpack/],
    ['zstd', '\x28\xb5\x2f\xfd', 0, /zstd.*unpack/],
    ['an OVA', 'ustar', 257, /tar.*unpack/],
    ['zip', 'PK\x03\x04', 0, /zip.*unpack/],
  ])('are refused when they are %s', async (name, text, offset, message) => {
    const path = join(folder, `${name}.bin`)
    const bytes = Buffer.alloc(4096)
    bytes.write(text, offset, 'latin1')
    await writeFile(path, bytes)
    await expect(inspectFile(path, 'raw')).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(message),
    })
  })
})
