import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Beside the compiled program, for installations that cannot write to a cache: container images. */
const PREBUILT = join(ROOT, 'bundle')

/**
 * Path of the workflows as one script. Bundling takes two seconds and a lot of memory, so it is done ahead, in a process of its own, and
 * again only when a source changed.
 */
export async function ensureWorkflowBundle(cacheFolder: string): Promise<string> {
  const name = `workflows-${await sourceHash()}.js`
  const prebuilt = join(PREBUILT, name)
  if (existsSync(prebuilt)) return prebuilt
  const path = join(cacheFolder, name)
  if (existsSync(path)) return path
  const { bundleWorkflowCode } = await import('@temporalio/worker')
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(ROOT, `workflows/index${extname(import.meta.url)}`),
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
  })
  await mkdir(cacheFolder, { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}`
  await writeFile(draft, code)
  await rename(draft, path)
  return path
}

/** Puts the bundle where every later start finds it; answers its path. */
export function prebuildWorkflowBundle(): Promise<string> {
  return ensureWorkflowBundle(PREBUILT)
}

async function sourceHash(): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of ['workflows', 'domain']) {
    for (const file of (await readdir(join(ROOT, folder))).toSorted()) {
      hash.update(file).update(await readFile(join(ROOT, folder, file)))
    }
  }
  hash.update(await readFile(fileURLToPath(import.meta.resolve('@temporalio/worker/package.json'))))
  return hash.digest('hex').slice(0, 16)
}
