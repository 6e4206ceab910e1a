import { setTimeout as sleep } from 'node:timers/promises'
import { startProcess, type StartOptions } from '../../block-io/process.ts'
import { endedChildrenCpuSeconds, peakRssBytes } from '../../scripts/demo/processes.ts'

export interface Usage {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRssBytes: number
}

const LOOK_MS = 20

/** Runs a program to its end and measures it. The only program that ends meanwhile. */
export async function runPeer(
  program: string,
  args: readonly string[],
  { signal, ...options }: StartOptions & { signal: AbortSignal },
): Promise<Usage & { stdout: string }> {
  const cpuBefore = await endedChildrenCpuSeconds(process.pid)
  const startedMs = performance.now()
  const child = startProcess(program, args, options)
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  const watch = new AbortController()
  const peak = watchPeakRss(child.pid ?? 0, watch.signal)
  const { failure, stdout } = await child.exited
  const seconds = (performance.now() - startedMs) / 1000
  signal.removeEventListener('abort', kill)
  watch.abort()
  signal.throwIfAborted()
  if (failure !== undefined) throw failure
  const cpuSeconds = (await endedChildrenCpuSeconds(process.pid)) - cpuBefore
  return { seconds, cpuSeconds, peakRssBytes: await peak, stdout }
}

/** The kernel remembers the peak, but forgets it with the process. */
async function watchPeakRss(pid: number, signal: AbortSignal): Promise<number> {
  let peak = 0
  while (!signal.aborted) {
    peak = Math.max(peak, (await peakRssBytes(pid)) ?? 0)
    await sleep(LOOK_MS)
  }
  return peak
}
