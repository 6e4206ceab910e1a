import { existsSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { MiB } from '../../domain/sizes.ts'
import { debianImageFiles } from '../setup/debian-image.ts'
import { locate } from '../setup/locate.ts'
import { pseudoRandom } from './contents.ts'
import type { DemoOptions } from './options.ts'

export interface SourceImage {
  readonly title: string
  /** What is uploaded. */
  readonly qcow2Path: string
  /** The same disk without a container format, to compare with. */
  readonly rawPath: string
  readonly sizeBytes: number
  /** How to start what is on the disk; undefined where nobody knows. */
  readonly boot?: { readonly kernelPath: string; readonly initrdPath: string }
}

/** The user's image, else Debian, else one of random bytes; `say` gets a line where it is not what one would expect. */
export async function prepareSourceImage(
  folder: string,
  { image }: DemoOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<SourceImage> {
  const qcow2Path = join(folder, 'source.qcow2')
  if (image?.format === 'qcow2') {
    const rawPath = join(folder, 'source.raw')
    await convert(image, { path: rawPath, format: 'raw' }, signal)
    return describe({ title: basename(image.path), qcow2Path: image.path, rawPath })
  }
  const raw =
    image === undefined ? await ownImage(folder, say) : { title: basename(image.path), rawPath: image.path }
  await convert({ path: raw.rawPath, format: 'raw' }, { path: qcow2Path, format: 'qcow2' }, signal)
  return describe({ ...raw, qcow2Path })
}

async function ownImage(
  folder: string,
  say: (line: string) => void,
): Promise<Pick<SourceImage, 'title' | 'rawPath' | 'boot'>> {
  const { diskPath, kernelPath, initrdPath } = debianImageFiles
  if (existsSync(diskPath)) {
    const boot = { kernelPath, initrdPath }
    return {
      title: 'Debian 12',
      rawPath: diskPath,
      ...(locate('qemu-system-x86_64') === undefined ? {} : { boot }),
    }
  }
  say('No Debian image could be built here: random bytes take its place, and nothing is booted.')
  const rawPath = join(folder, 'source.raw')
  await using file = await open(rawPath, 'w')
  await file.truncate(SYNTHETIC.sizeBytes)
  for (const { offset, length } of SYNTHETIC.data) {
    await file.write(pseudoRandom(length, `image ${offset}`), 0, length, offset)
  }
  return { title: 'random bytes', rawPath }
}

const SYNTHETIC = {
  sizeBytes: 512 * MiB,
  data: [0, 100, 200, 300, 400].map((atMiB) => ({ offset: atMiB * MiB, length: 32 * MiB })),
}

async function describe(image: Omit<SourceImage, 'sizeBytes'>): Promise<SourceImage> {
  return { ...image, sizeBytes: (await stat(image.rawPath)).size }
}

interface ImageFile {
  readonly path: string
  readonly format: 'raw' | 'qcow2'
}

async function convert(from: ImageFile, to: ImageFile, signal: AbortSignal): Promise<void> {
  await runProcess('qemu-img', ['convert', '-f', from.format, '-O', to.format, from.path, to.path], {
    signal,
  })
}
