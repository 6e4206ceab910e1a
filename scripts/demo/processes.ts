/** What the kernel says about processes (Linux). */
import { readdir, readFile, writeFile } from 'node:fs/promises'

export interface ProcessInfo {
  readonly pid: number
  readonly parentPid: number
  readonly command: readonly string[]
}

export async function childrenOf(pid: number): Promise<ProcessInfo[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const infos = await Promise.all(pids.map(readProcess))
  return infos.filter((info) => info?.parentPid === pid).filter((info) => info !== undefined)
}

/** The most memory that the process ever had, in bytes; undefined when it is gone. */
export async function peakRssBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(text)?.[1]
  return kib === undefined ? undefined : Number(kib) * 1024
}

/** Lets `peakRssBytes` begin anew (proc(5), clear_refs). */
export async function forgetPeakRss(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

/** Seconds of processor time of the process and its ended children; undefined when it is gone. */
export async function cpuSeconds(pid: number): Promise<number | undefined> {
  const fields = await statFields(pid)
  // proc(5): utime, stime, cutime, cstime are fields 14 to 17; ours begin with field 3.
  const ticks = fields?.slice(11, 15).map(Number)
  return ticks?.reduce((total, value) => total + value / TICKS_PER_SECOND, 0)
}

/** Of those children of a process that have ended, and theirs. */
export async function endedChildrenCpuSeconds(pid: number): Promise<number> {
  const ticks = (await statFields(pid))?.slice(13, 15).map(Number) ?? []
  return ticks.reduce((total, value) => total + value / TICKS_PER_SECOND, 0)
}

/** What the kernel shows to programs, whatever it uses inside. */
const TICKS_PER_SECOND = 100

async function readProcess(pid: number): Promise<ProcessInfo | undefined> {
  const fields = await statFields(pid)
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (fields === undefined) return undefined
  return { pid, parentPid: Number(fields[1]), command: command.split('\0') }
}

/** From the third field on: the second is a name in parentheses, with anything in it. */
async function statFields(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')
}
