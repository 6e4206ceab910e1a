import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProcess, startProcess } from '../block-io/process.ts'
import { GiB, MiB } from '../domain/sizes.ts'
import { forgetPeakRss, peakRssBytes } from '../scripts/demo/processes.ts'
import { pseudoRandom } from '../scripts/demo/contents.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, secondsOf } from './contest.ts'
import { warm } from './disk.ts'
import { Product } from './product.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const IMAGE_BYTES = 4 * GiB
const PIECE_BYTES = 64 * MiB
const GOAL = 0.8
const BARE_SERVER = fileURLToPath(new URL('./peers/bare-image-server.mjs', import.meta.url))

export const imageTransfer: Benchmark = {
  name: 'image-transfer',
  about:
    'an image of 4 GiB is uploaded and downloaded over the Image API; beside a bare Node server that hashes it, too',
  needs: [temporal],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  const source = join(folder, 'source.raw')
  await makeImage(source)
  await using product = await Product.start(folder, signal)
  const bareFile = join(folder, 'bare.raw')
  await using bare = await startBare(bareFile)
  const ours = imagesOf(product, signal)
  const api = await product.pidOf('api')
  const imageId = await ours.upload(source)
  // As the default store keeps it.
  const imageFile = join(folder, 'data/images/images', imageId)
  await curl(['--upload-file', source, bare.url], signal)
  // What is read comes from memory for everyone: what was written last has pushed out some of it.
  const rate = async (pid: number, read: string, work: () => Promise<unknown>) => {
    await warm(read)
    await forgetPeakRss(pid)
    const seconds = await secondsOf(work)
    return {
      'MiB/s': IMAGE_BYTES / MiB / seconds,
      'peak RSS MB': ((await peakRssBytes(pid)) ?? 0) / 1_000_000,
    }
  }
  const contestants = {
    upload: async () => {
      let id = ''
      const row = await rate(api, source, async () => (id = await ours.upload(source)))
      await ours.remove(id)
      return row
    },
    'bare upload': () => rate(bare.pid, source, () => curl(['--upload-file', source, bare.url], signal)),
    download: () => rate(api, imageFile, () => ours.download(imageId)),
    'bare download': () => rate(bare.pid, bareFile, () => curl([bare.url], signal)),
  }
  const figures = figuresOf(await contest(runs, contestants, { signal, without }))
  const of = (name: string) => figures.of(name, 'MiB/s')
  const ratios = {
    upload: of('upload') / of('bare upload'),
    download: of('download') / of('bare download'),
  }
  const rss = await product.peakRssMb()
  const apiRss = Math.max(figures.of('upload', 'peak RSS MB'), figures.of('download', 'peak RSS MB'))
  return finishResult({
    name: imageTransfer.name,
    unit: 'MiB/s',
    ours: of('upload'),
    peers: { 'bare server': of('bare upload') },
    ceiling: { name: 'download from the bare server', value: of('bare download') },
    ratios,
    rss: { ...rss, api: Math.max(apiRss, rss.api ?? 0) },
    goals: [
      { text: `upload at ${GOAL} x the bare server`, met: ratios.upload >= GOAL },
      { text: `download at ${GOAL} x the bare server`, met: ratios.download >= GOAL },
    ],
    details: { 'download MiB/s': of('download'), runs },
    table: figures.table,
  })
}

/** Bytes that are not zeroes: those would become holes. */
async function makeImage(path: string): Promise<void> {
  await using file = await open(path, 'w')
  const piece = pseudoRandom(PIECE_BYTES, 'image')
  for (let offset = 0; offset < IMAGE_BYTES; offset += PIECE_BYTES) {
    await file.write(piece, 0, PIECE_BYTES, offset)
  }
}

function imagesOf({ client, apiUrl }: Product, signal: AbortSignal) {
  const images = `${apiUrl}/image/v2/images`
  return {
    /** Until the image is active. */
    upload: async (path: string): Promise<string> => {
      const { id } = await client.createImage({ diskFormat: 'raw' })
      const type = ['--header', 'content-type: application/octet-stream']
      await curl([...type, '--upload-file', path, `${images}/${id}/file`], signal)
      const { status } = await client.showImage(id)
      if (status !== 'active') throw new Error(`Expected an active image, got ${status}`)
      return id
    },
    download: (id: string) => curl([`${images}/${id}/file`], signal),
    remove: async (id: string) => void (await client.deleteImage(id)),
  }
}

/** A client that costs next to nothing. */
async function curl(args: readonly string[], signal: AbortSignal): Promise<void> {
  await runProcess('curl', ['--fail', '--silent', '--show-error', '--output', '/dev/null', ...args], {
    signal,
  })
}

async function startBare(path: string) {
  const { promise, resolve } = Promise.withResolvers<string>()
  const child = startProcess(process.execPath, [BARE_SERVER, path], { onStdoutLine: resolve })
  const port = await promise
  return {
    url: `http://127.0.0.1:${port}/`,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}
