import { readdir, readFile } from 'node:fs/promises'

interface ProcessLine {
  readonly pid: number
  readonly parentPid: number
  readonly command: string
}

/** The process and everything below it, parents first. */
export async function processTree(rootPid: number): Promise<ProcessLine[]> {
  const all = await allProcesses()
  const tree = all.filter((one) => one.pid === rootPid)
  for (let at = 0; at < tree.length; at++) tree.push(...all.filter((one) => one.parentPid === tree[at]?.pid))
  return tree
}

async function allProcesses(): Promise<ProcessLine[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const [stat, command] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'latin1'),
        readFile(`/proc/${pid}/cmdline`, 'utf8'),
      ]).catch(() => ['', ''] as const)
      // The program's name is in parentheses and may hold anything.
      const parentPid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return { pid: Number(pid), parentPid, command: command.replaceAll('\0', ' ').trim() }
    }),
  )
  return lines.filter((line) => line.parentPid >= 0)
}
