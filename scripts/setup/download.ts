import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { runInstaller } from './command.ts'

/** A machine without internet must notice soon. */
const ANSWER_TIMEOUT_MS = 10_000
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000

/** Fetches a .tar.gz and unpacks it into a folder that exists. */
export async function downloadArchive(url: string, folder: string): Promise<void> {
  const archive = join(folder, 'download.tar.gz')
  await downloadFile(url, archive)
  await runInstaller('tar', ['-xzf', archive, '-C', folder])
  await rm(archive)
}

async function downloadFile(url: string, path: string): Promise<void> {
  const abort = new AbortController()
  const answerTimer = setTimeout(() => abort.abort(new Error(`no answer from ${url}`)), ANSWER_TIMEOUT_MS)
  const response = await fetch(url, {
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS)]),
  }).finally(() => clearTimeout(answerTimer))
  if (!response.ok || response.body === null)
    throw new Error(`Expected ${url} to be there, got ${response.status}`)
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path))
}

/** This machine in the words of Go and of most downloads: `{ platform: 'linux', arch: 'amd64' }`. */
export function goPlatform(): { platform: string; arch: string } {
  return { platform: process.platform, arch: process.arch === 'x64' ? 'amd64' : process.arch }
}
