import { readdir, readFile } from 'node:fs/promises'
import { RUN_TAG } from '../block-io/process.ts'

/**
 * Kills what a worker that was killed left behind. Its children die with it, but for those that it had just forked: they ask the
 * kernel for that a few milliseconds later, and then it is too late. Each carries the tag of its worker in its environment.
 */
export async function killOrphans(tag: string): Promise<void> {
  const wanted = `${RUN_TAG}=${tag}`
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '')
    if (environment.split('\0').includes(wanted)) kill(Number(name))
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}
