/** Processes that work on an installation, as /proc shows them. */
import { existsSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface FoundProcess {
  readonly pid: number
  readonly parentPid: number
  readonly command: readonly string[]
  /** What ties it to the folder: its command line, its working directory, files below the folder that it has open. */
  readonly because: readonly string[]
}

/** Programs that `volflow up` keeps running; everything else below it belongs to an operation. */
const SERVICES = ['node', 'temporal']
const SHORT_CALL_MS = 30_000

/** Processes with one of the folders on their command line, as working directory, or with open files below it; never ourselves. */
export async function processesUnder(folders: readonly string[]): Promise<FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(
    pids.filter((pid) => pid !== process.pid).map((pid) => inspect(pid, folders).catch(() => undefined)),
  )
  return found.filter((one) => one !== undefined)
}

/**
 * Which of them should not be there: all when stopped; else all that are not services below `runningPid`. A service's own child may
 * be a short call, such as one that asks for the free space, which ends if it is given a moment.
 */
export async function checkProcesses(folders: readonly string[], runningPid?: number): Promise<string[]> {
  const deadlineMs = Date.now() + SHORT_CALL_MS
  let staying: ReadonlySet<number> | undefined
  for (;;) {
    const found = await processesUnder(folders)
    const left = found
      .filter((one) => runningPid === undefined || !isService(one, found, runningPid))
      .filter(({ pid }) => staying?.has(pid) !== false)
    const mayEnd = runningPid !== undefined && left.every((one) => isBelow(one, found, runningPid))
    if (left.length === 0 || !mayEnd || Date.now() > deadlineMs)
      return left.map(
        ({ pid, command, because }) => `process ${pid} is left: ${command.join(' ')} (${because.join('; ')})`,
      )
    staying = new Set(left.map(({ pid }) => pid))
    await sleep(100)
  }
}

function isService(one: FoundProcess, all: readonly FoundProcess[], runningPid: number): boolean {
  if (one.pid === runningPid) return true
  return SERVICES.includes(basename(one.command[0] ?? '')) && isBelow(one, all, runningPid)
}

function isBelow(one: FoundProcess, all: readonly FoundProcess[], runningPid: number): boolean {
  for (let current: FoundProcess | undefined = one; current !== undefined;) {
    const { parentPid }: FoundProcess = current
    if (parentPid === runningPid) return true
    current = all.find((other) => other.pid === parentPid)
  }
  return false
}

async function inspect(pid: number, folders: readonly string[]): Promise<FoundProcess | undefined> {
  const isInside = (path: string) =>
    folders.some((folder) => path === folder || path.startsWith(`${folder}/`))
  const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1)
  const because = command.some((word) => folders.some((folder) => word.includes(folder)))
    ? ['command line']
    : []
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
  if (isInside(cwd)) because.push(`works in ${cwd}`)
  because.push(...(await openFiles(pid)).filter(isInside).map((path) => `has ${path} open`))
  if (because.length === 0) return undefined
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  // A zombie has ended; its parent has not been told yet.
  if (/^State:\s+Z/m.test(status)) return undefined
  return { pid, parentPid: Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), command, because }
}

async function openFiles(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  const names = await readdir(folder).catch(() => [])
  return Promise.all(names.map((name) => readlink(join(folder, name)).catch(() => '')))
}

/** What is left in the installation's own temporary folder: sockets of processes that are gone, and whatever else. */
export async function checkTemporaryFolder(folder: string, isRunning: boolean): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => ({ path: join(entry.parentPath, entry.name), isDirectory: entry.isDirectory() }))
    .filter(({ path, isDirectory }) => !(isRunning && (isDirectory || isTagOfLiving(path))))
    .map(({ path }) => `leftover in the temporary folder: ${path}`)
}

/** `<pid>/tag`: by it, what a worker leaves running when it is killed can be found. */
function isTagOfLiving(path: string): boolean {
  const [pid = '', name] = path.split('/').slice(-2)
  return name === 'tag' && /^\d+$/.test(pid) && existsSync(`/proc/${pid}`)
}
