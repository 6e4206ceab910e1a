/**
 * A whole Ceph cluster on this machine: one monitor, one manager and one OSD on 127.0.0.1, with cephx on, in one folder. Its daemons die
 * with us, however we end. For tests, the demo and benchmarks.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runProcess, type RunningProcess, startProcess } from '../../block-io/process.ts'
import { GiB } from '../../domain/sizes.ts'
import { locate } from '../setup/locate.ts'
import { type ClusterFiles, writeClusterFiles } from './configuration.ts'
import { acceptsConnections, freePort } from '../ports.ts'

const DEVICE_BYTES = 64 * GiB
const POOLS = ['volumes', 'images', 'backups'] as const
const USER = 'volflow'
const PLACEMENT_GROUPS = 8
const READY_TIMEOUT_MS = 180_000
const POLL_MS = 100

export interface CephCluster {
  readonly confFile: string
  /** May use RBD on the pools, and nothing else. */
  readonly user: string
  readonly keyringFile: string
  readonly adminKeyringFile: string
  /** `ceph` or `rbd` as administrator; resolves to its output. */
  admin(program: 'ceph' | 'rbd' | 'rados', args: readonly string[]): Promise<string>
  readonly mon: Daemon
  readonly osd: Daemon
  stop(): Promise<void>
}

export interface Daemon {
  /** As a power cut does. */
  kill(): Promise<void>
  /** It keeps its connections, and answers nothing until it may go on. */
  pause(): void
  goOn(): void
  /** Resolves when it runs: whoever uses it then waits until it is up. */
  startAgain(): Promise<void>
}

/** Some 10 s. Throws where Ceph is not installed. */
export async function startCephCluster(): Promise<CephCluster> {
  if (locate('ceph-mon') === undefined)
    throw new Error(
      'Expected Ceph (ceph-mon, ceph-mgr, ceph-osd, ceph-common) to be installed. Run: npm run setup',
    )
  const folder = await mkdtemp(join(tmpdir(), 'volflow-ceph-'))
  const running: RunningDaemon[] = []
  const stop = async () => {
    for (const daemon of running.toReversed()) await daemon.kill()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const port = await freePort()
    const files = await writeClusterFiles(folder, { fsid: randomUUID(), port, deviceBytes: DEVICE_BYTES })
    const run = runnerOf(files)
    const daemon = (program: string, args: readonly string[], isReady?: () => Promise<boolean>) => {
      const made = new RunningDaemon(program, args, files, isReady)
      running.push(made)
      return made
    }
    await makeMon(files)
    const mon = daemon('ceph-mon', ['-i', 'a', '--mon-data', files.folderOf('mon')], () =>
      acceptsConnections(port),
    )
    await mon.startAgain()
    await daemon('ceph-mgr', ['-i', 'x', '--mgr-data', files.folderOf('mgr')]).startAgain()
    await makeOsd(files, run)
    // Whoever uses it waits until it is up.
    const osd = daemon('ceph-osd', ['-i', '0', '--osd-data', files.folderOf('osd')])
    await osd.startAgain()
    await makePools(run)
    return {
      confFile: files.clientConf,
      user: USER,
      keyringFile: files.clientKeyring,
      adminKeyringFile: files.adminKeyring,
      admin: run,
      mon,
      osd,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

type Run = CephCluster['admin']

function runnerOf({ conf, adminKeyring }: ClusterFiles): Run {
  return async (program, args) => {
    const access = ['--conf', conf, '--keyring', adminKeyring]
    return (await runProcess(program, [...access, ...args], { timeoutMs: READY_TIMEOUT_MS })).stdout
  }
}

/** Everybody's key is there from the first moment: asking a monitor for one takes Python, and half a second. */
async function makeMon(files: ClusterFiles): Promise<void> {
  const { adminKeyring, monKeyring, conf, fsid, monAddress, folderOf } = files
  const onPools = POOLS.map((pool) => `profile rbd pool=${pool}`).join(', ')
  const all = 'allow *'
  const keyrings: [string, string, Record<string, string>][] = [
    [adminKeyring, 'client.admin', { mon: all, osd: all, mgr: all }],
    [join(folderOf('mgr'), 'keyring'), 'mgr.x', { mon: 'allow profile mgr', osd: all }],
    [
      join(folderOf('osd'), 'keyring'),
      'osd.0',
      { mon: 'allow profile osd', mgr: 'allow profile osd', osd: all },
    ],
    [files.clientKeyring, `client.${USER}`, { mon: 'profile rbd', osd: onPools, mgr: 'profile rbd' }],
  ]
  const create = (path: string, name: string, caps: Record<string, string>) =>
    runProcess('ceph-authtool', [
      ...[path, '--create-keyring', '--gen-key', '-n', name],
      ...Object.entries(caps).flatMap(([daemon, cap]) => ['--cap', daemon, cap]),
    ])
  await create(monKeyring, 'mon.', { mon: all })
  for (const [path, name, caps] of keyrings) {
    await create(path, name, caps)
    await runProcess('ceph-authtool', [monKeyring, '--import-keyring', path])
  }
  const map = join(folderOf('mon'), '..', 'monmap')
  await runProcess('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', `[${monAddress}]`, map])
  const data = ['-i', 'a', '--mon-data', folderOf('mon')]
  await runProcess('ceph-mon', ['--mkfs', '--conf', conf, '--keyring', monKeyring, '--monmap', map, ...data])
}

/** The file system of the OSD must be made under the UUID that the monitor was told: else it would stay `booting` for ever. */
async function makeOsd(files: ClusterFiles, run: Run): Promise<void> {
  const uuid = randomUUID()
  await run('ceph', ['osd', 'new', uuid])
  const data = ['--osd-uuid', uuid, '--osd-data', files.folderOf('osd')]
  await runProcess('ceph-osd', ['--conf', files.conf, '-i', '0', '--mkfs', ...data])
}

async function makePools(run: Run): Promise<void> {
  await Promise.all(
    POOLS.map(async (pool) => {
      await run('ceph', ['osd', 'pool', 'create', pool, String(PLACEMENT_GROUPS)])
      await run('rbd', ['pool', 'init', pool])
    }),
  )
}

class RunningDaemon implements Daemon {
  readonly #program: string
  readonly #args: readonly string[]
  readonly #isReady: () => Promise<boolean>
  #process: RunningProcess | undefined

  constructor(
    program: string,
    args: readonly string[],
    files: ClusterFiles,
    isReady = () => Promise.resolve(true),
  ) {
    this.#program = program
    this.#args = ['-f', '--conf', files.conf, ...args]
    this.#isReady = isReady
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#process?.exited
  }

  pause(): void {
    this.#signal('SIGSTOP')
  }

  goOn(): void {
    this.#signal('SIGCONT')
  }

  async startAgain(): Promise<void> {
    const child = startProcess(locate(this.#program) ?? this.#program, this.#args, { onStdoutLine: () => {} })
    this.#process = child
    let ended: string | undefined
    void child.exited.then((exit) => {
      ended = exit.failure?.message ?? 'exit status 0'
    })
    const deadlineMs = Date.now() + READY_TIMEOUT_MS
    while (!(await this.#isReady())) {
      if (ended !== undefined) throw new Error(`Expected ${this.#program} to stay, it ended: ${ended}`)
      if (Date.now() > deadlineMs)
        throw new Error(`Expected ${this.#program} to be ready within ${READY_TIMEOUT_MS} ms, it was not`)
      await sleep(POLL_MS)
    }
  }

  #signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error(`Expected ${this.#program} to run`)
    process.kill(pid, signal)
  }
}
