import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { copyDevice, type CopyOptions } from '../../block-io/copy.ts'
import type { BlockDevice } from '../../block-io/device.ts'
import { sha256OfDevice } from '../../block-io/hash.ts'
import { runProcess, startProcess } from '../../block-io/process.ts'
import { MiB } from '../../domain/sizes.ts'
import { tempDir } from '../support/temp-dir.ts'
import { asQcow2, dirtyFile, plainDevice, processesMentioning, sparseFile } from './devices.ts'

const COPY_PROGRAM = new URL('copy-program.ts', import.meta.url).pathname
const SIZE = 48 * MiB
const DATA = [
  { atMiB: 1, sizeMiB: 10 },
  { atMiB: 30, sizeMiB: 5 },
]

async function rawSource(): Promise<BlockDevice> {
  return sparseFile(join(await tempDir(), 'source.raw'), SIZE, DATA)
}

async function emptyTarget(sizeBytes = SIZE): Promise<BlockDevice> {
  return sparseFile(join(await tempDir(), 'target.raw'), sizeBytes)
}

function options(source: BlockDevice, target: BlockDevice, changes: Partial<CopyOptions> = {}): CopyOptions {
  return {
    source,
    target,
    lengthBytes: source.sizeBytes,
    targetIsZero: true,
    startOffset: 0,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onCheckpoint: () => undefined,
    segmentBytes: 4 * MiB,
    ...changes,
  }
}

async function expectSameBytes(target: BlockDevice, source: BlockDevice): Promise<void> {
  const [expected, found] = await Promise.all([
    sha256OfDevice(source),
    sha256OfDevice({ ...target, sizeBytes: source.sizeBytes }),
  ])
  expect(found).toBe(expected)
}

const KINDS: readonly (readonly [string, (raw: BlockDevice) => Promise<BlockDevice>])[] = [
  ['raw', async (raw) => raw],
  ['qcow2', (raw) => asQcow2(raw)],
  ['compressed qcow2', (raw) => asQcow2(raw, '-c')],
  ['untrusted qcow2', async (raw) => ({ ...(await asQcow2(raw)), untrusted: true })],
]

test.each(KINDS)('a sparse %s device is copied, moving its data and nothing else', async (_name, make) => {
  const source = await make(await rawSource())
  const target = await emptyTarget()
  const progress: { doneBytes: number; movedBytes: number }[] = []
  const checkpoints: number[] = []
  const changes = {
    onProgress: (now: { doneBytes: number; movedBytes: number }) => void progress.push(now),
    onCheckpoint: (offset: number) => void checkpoints.push(offset),
  }
  expect(await copyDevice(options(source, target, changes))).toEqual({ movedBytes: 15 * MiB })
  await expectSameBytes(target, source)
  expect((await stat(target.plainFile ?? '')).blocks * 512).toBeLessThan(16 * MiB)
  // 4 MiB of data each: the third segment reaches over the hole, the last checkpoint over the empty end.
  expect(checkpoints).toEqual([5, 9, 32, 35, 48].map((mib) => mib * MiB))
  expect(progress.at(-1)).toEqual({ doneBytes: SIZE, movedBytes: 15 * MiB })
  for (const [before, after] of progress.slice(1).map((now, index) => [progress[index], now] as const)) {
    expect(after.doneBytes).toBeGreaterThanOrEqual(before?.doneBytes ?? 0)
    expect(after.movedBytes).toBeGreaterThanOrEqual(before?.movedBytes ?? 0)
  }
})

test.each([true, false])(
  'holes of the source replace what a used target had (untrusted: %s)',
  async (untrusted) => {
    const source = { ...(await asQcow2(await rawSource())), untrusted }
    const target = await dirtyFile(await tempDir(), SIZE)
    await copyDevice(options(source, target, { targetIsZero: false }))
    await expectSameBytes(target, source)
  },
)

test('the rest of a larger target stays as it was', async () => {
  const source = await rawSource()
  const target = await dirtyFile(await tempDir(), SIZE + 8 * MiB)
  const before = await readFile(target.plainFile ?? '')
  await copyDevice(options(source, target, { targetIsZero: false }))
  await expectSameBytes(target, source)
  expect((await readFile(target.plainFile ?? '')).subarray(SIZE).equals(before.subarray(SIZE))).toBe(true)
})

test('a source that ends within a sector is copied to its last byte', async () => {
  const source = await rawSource()
  const odd = { ...plainDevice(join(await tempDir(), 'odd'), 11 * MiB - 100) }
  await copyFile(source.plainFile ?? '', odd.plainFile ?? '')
  await runProcess('truncate', ['-s', String(odd.sizeBytes), odd.plainFile ?? ''])
  const target = await emptyTarget()
  await copyDevice(options(odd, target))
  await expectSameBytes(target, odd)
})

test('a source longer than the target, and a target that is no plain file, are refused', async () => {
  const source = await rawSource()
  await expect(copyDevice(options(source, await emptyTarget(MiB)))).rejects.toMatchObject({ kind: 'invalid' })
  const container = await asQcow2(await emptyTarget())
  await expect(copyDevice(options(source, container))).rejects.toMatchObject({ kind: 'unsupported' })
})

test('an all-zero source moves nothing and still ends with a checkpoint', async () => {
  const source = await asQcow2(await emptyTarget())
  const onCheckpoint = vi.fn<(offset: number) => void>()
  expect(await copyDevice(options(source, await emptyTarget(), { onCheckpoint }))).toEqual({ movedBytes: 0 })
  expect(onCheckpoint.mock.calls).toEqual([[SIZE]])
})

test('kill -9 in the middle leaves no child, and resuming from the checkpoint gives identical bytes', async () => {
  const source = await asQcow2(
    await sparseFile(join(await tempDir(), 'big.raw'), 256 * MiB, [{ atMiB: 0, sizeMiB: 256 }]),
  )
  for (const killAfter of [1, 5]) {
    const target = await emptyTarget(256 * MiB)
    const checkpoints: number[] = []
    const {
      signal: _signal,
      onProgress: _progress,
      onCheckpoint: _checkpoint,
      ...plain
    } = options(source, target, { segmentBytes: 16 * MiB })
    const copier = startProcess(process.execPath, [COPY_PROGRAM, JSON.stringify(plain)], {
      onStdoutLine: (line) => {
        checkpoints.push(Number(/checkpoint (\d+)/.exec(line)?.[1]))
        if (checkpoints.length === killAfter) copier.kill('SIGKILL')
      },
    })
    await copier.exited
    expect(checkpoints.length).toBeLessThan(16)
    await vi.waitFor(async () => expect(await processesMentioning(target.plainFile ?? '')).toEqual([]), 2_000)
    const resumed = await copyDevice(options(source, target, { startOffset: checkpoints.at(-1) ?? 0 }))
    expect(resumed.movedBytes).toBe(256 * MiB - (checkpoints.at(-1) ?? 0))
    await expectSameBytes(target, source)
  }
})

test.each([false, true])(
  'abort rejects with its reason when no child is alive any more (untrusted: %s)',
  async (untrusted) => {
    const source = { ...(await asQcow2(await rawSource())), untrusted }
    const target = await emptyTarget()
    const abort = new AbortController()
    const socketDirectory = await tempDir()
    const onProgress = ({ movedBytes }: { movedBytes: number }) => {
      if (movedBytes > 6 * MiB) abort.abort(new Error('cancelled by the user'))
    }
    const copying = copyDevice(options(source, target, { signal: abort.signal, onProgress, socketDirectory }))
    await expect(copying).rejects.toThrow('cancelled by the user')
    expect(await processesMentioning(target.plainFile ?? '')).toEqual([])
    expect(await processesMentioning(socketDirectory)).toEqual([])
  },
)

test('a full file system ends the copy with the kind full', async (context) => {
  const folder = await tempDir()
  const mountPoint = join(folder, 'mnt')
  await mkdir(mountPoint)
  const source = await rawSource()
  const target = plainDevice(join(mountPoint, 'target.raw'), SIZE)
  const {
    signal: _signal,
    onProgress: _progress,
    onCheckpoint: _checkpoint,
    ...plain
  } = options(source, target)
  // A mount namespace of its own, so that the small file system needs no root and is gone with the process.
  const script =
    'mount -t tmpfs -o size=8m none "$1" && truncate -s "$2" "$1/target.raw" && exec "$3" "$4" "$5"'
  const args = [
    '-rm',
    'sh',
    '-c',
    script,
    'sh',
    mountPoint,
    String(SIZE),
    process.execPath,
    COPY_PROGRAM,
    JSON.stringify(plain),
  ]
  const { stdout, failure } = await startProcess('unshare', args).exited
  if (/unshare|mount:/.test(failure?.message ?? '') && stdout === '')
    return context.skip('no user namespaces here')
  expect(stdout).toMatch(/^full .*ENOSPC/m)
})

test('a damaged image of a user is corrupt, not worth another try', async () => {
  const raw = await rawSource()
  const text = Array.from({ length: 200_000 }, (_, index) => `line ${index} of a text\n`).join('')
  await writeFile(raw.plainFile ?? '', text, { flag: 'r+' })
  const source = { ...(await asQcow2(raw, '-c')), untrusted: true }
  const path = `${raw.plainFile}.qcow2`
  // The compressed text begins behind the header and the tables.
  await runProcess('dd', ['if=/dev/zero', `of=${path}`, 'bs=1k', 'seek=350', 'count=100', 'conv=notrunc'])
  await expect(copyDevice(options(source, await emptyTarget()))).rejects.toMatchObject({ kind: 'corrupt' })
})
