/**
 * Serves a device over NBD on a unix socket, read-only unless asked otherwise: to our worker threads, and, for a user's qcow2, from inside a sandbox
 * that holds that one file and nothing else.
 */
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { GiB } from '../domain/sizes.ts'
import type { Blockdev, BlockDevice, NbdSpec } from './device.ts'
import { fileError } from './file-errors.ts'
import { type RunningProcess, startProcess } from './process.ts'

export interface ExportOptions {
  /** An existing directory with a short path (a socket's path has at most 107 bytes); each export makes its own in it. */
  readonly socketDirectory: string
  /** For a container format that a user wrote: the server sees nothing but the file. */
  readonly confined: boolean
  /** The device was opened for writing, and clients may write. Never together with `confined`. */
  readonly writable?: boolean
  /** Aborting ends the server; `close` is still needed. */
  readonly signal?: AbortSignal
}

export interface DeviceExport {
  /** For our NBD client. */
  readonly spec: NbdSpec
  /** For qemu. */
  readonly blockdev: Blockdev
  /** After a request failed: why the server ended by itself, if it did (or does within a moment). */
  ended(): Promise<DriverError | undefined>
  /** Ends the server and removes its directory. Closing twice is harmless. */
  close(): Promise<void>
  /** How it ended: by itself after it was asked to, or, false, in any other way. */
  readonly endedCleanly: Promise<boolean>
}

const EXPORT_NAME = 'device'
/**
 * qemu allocates a buffer for each request. By default a large one is a mapping of its own, zeroed by the kernel and thrown away
 * again, which costs as much as reading and sending it: keeping all requests' worth of memory halves the server's processor time.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: String(LIMITS.exportMallocArenas),
  MALLOC_MMAP_THRESHOLD_: String(LIMITS.nbdRequestsInFlight * LIMITS.nbdRequestBytes),
  MALLOC_TRIM_THRESHOLD_: String(2 * LIMITS.nbdRequestsInFlight * LIMITS.nbdRequestBytes),
}
/** Inside the sandbox: the input is the first descriptor that we pass. */
const SANDBOX_INPUT = '/proc/self/fd/3'
const SANDBOX_DIRECTORY = '/run/export'

/** Throws DriverError. The server also ends when this thread ends, however it ends. */
export async function serveDevice(device: BlockDevice, options: ExportOptions): Promise<DeviceExport> {
  options.signal?.throwIfAborted()
  const directory = await mkdtemp(join(options.socketDirectory, 'nbd-')).catch(fileError)
  const socketPath = join(directory, 'socket')
  let server: Server | undefined
  const kill = () => server?.process.kill('SIGKILL')
  // A cluster waits for a client that just disappears, as if it would come back.
  const end = () => (options.confined ? kill() : server?.process.stop())
  options.signal?.addEventListener('abort', kill, { once: true })
  const close = async () => {
    options.signal?.removeEventListener('abort', kill)
    await end()
    await server?.process.exited
    await rm(directory, { recursive: true, force: true }).catch(fileError)
  }
  try {
    server = watch(
      options.confined
        ? await startConfined(device, directory)
        : startPlain(device, socketPath, options.writable === true),
    )
    await waitForSocket(socketPath, server)
    options.signal?.throwIfAborted()
  } catch (error) {
    await close()
    options.signal?.throwIfAborted()
    throw options.confined ? explainRefusal(error) : error
  }
  return {
    spec: { kind: 'nbd', socketPath, exportName: EXPORT_NAME, sizeBytes: device.sizeBytes },
    blockdev: { driver: 'nbd', server: { type: 'unix', path: socketPath }, export: EXPORT_NAME },
    ended: () => Promise.race([server?.failed, sleep(LIMITS.exportEndMs, undefined)]),
    close,
    endedCleanly: server.process.exited.then(({ failure }) => failure === undefined),
  }
}

/** When qemu itself gives up in the sandbox, it is because of the user's image, however it words that. */
function explainRefusal(error: unknown): unknown {
  if (!(error instanceof DriverError) || !error.message.includes('qemu-storage-daemon:')) return error
  return new DriverError('invalid', `Expected an image that qemu can open, got: ${error.message}`, {
    cause: error,
  })
}

interface Server {
  readonly process: RunningProcess
  readonly failed: Promise<DriverError>
}

function watch(child: RunningProcess): Server {
  const stayed = new DriverError('transient', 'Expected the NBD server to stay, it ended')
  return { process: child, failed: child.exited.then(({ failure = stayed }) => failure) }
}

function startPlain(device: BlockDevice, socketPath: string, writable: boolean): RunningProcess {
  const args = storageDaemonArguments(device.blockdev, socketPath, writable)
  return startProcess('qemu-storage-daemon', args, { env: MALLOC })
}

function storageDaemonArguments(blockdev: Blockdev, socketPath: string, writable = false): string[] {
  return [
    '--blockdev',
    JSON.stringify({ ...blockdev, 'node-name': 'node', 'read-only': !writable }),
    '--nbd-server',
    `addr.type=unix,addr.path=${socketPath}`,
    '--export',
    `type=nbd,id=export,node-name=node,name=${EXPORT_NAME},writable=${writable ? 'on' : 'off'}`,
  ]
}

/** The input is opened here once and passed as a descriptor: no path exists in the sandbox that could be swapped or followed. */
async function startConfined(device: BlockDevice, directory: string): Promise<RunningProcess> {
  const { format, path } = singleFile(device.blockdev)
  const input = await open(path, 'r').catch(fileError)
  try {
    return startProcess('bwrap', sandboxed(format, directory), {
      limits: await sandboxLimits(input, device.sizeBytes),
      passFileDescriptors: [input.fd],
    })
  } finally {
    // The child has its own copy of the descriptor from the moment it is started.
    await input.close()
  }
}

function singleFile({ driver, file }: Blockdev): { format: 'qcow2' | 'raw'; path: string } {
  const plain = typeof file === 'object' && file?.['driver'] === 'file' ? file['filename'] : undefined
  if ((driver !== 'qcow2' && driver !== 'raw') || typeof plain !== 'string') {
    throw new DriverError('unsupported', `Expected one qcow2 or raw file to serve confined, got ${driver}`)
  }
  return { format: driver, path: plain }
}

function sandboxed(format: 'qcow2' | 'raw', directory: string): string[] {
  const file: Blockdev = { driver: 'file', filename: SANDBOX_INPUT, locking: 'off' }
  // No backing file and no external data file, whatever the header says.
  const blockdev: Blockdev =
    format === 'raw' ? { driver: 'raw', file } : { driver: 'qcow2', file, backing: null }
  return [
    ...sandboxArguments(),
    ...['--bind', directory, SANDBOX_DIRECTORY],
    '--',
    'qemu-storage-daemon',
    ...storageDaemonArguments(blockdev, `${SANDBOX_DIRECTORY}/socket`),
  ]
}

/** For bwrap: no network, no file of the host besides its programs. */
export function sandboxArguments(): string[] {
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv'],
    // Without the limit of arenas each thread reserves 64 MiB, and under load there is no address space for the next one: qemu aborts.
    ...Object.entries(MALLOC).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--proc', '/proc', '--dev', '/dev', '--chdir', '/'],
  ]
}

async function sandboxLimits(input: FileHandle, sizeBytes: number) {
  const { size } = await input.stat().catch(fileError)
  const cpuSeconds =
    LIMITS.sandboxCpuBaseSeconds + (Math.max(size, sizeBytes) / GiB) * LIMITS.sandboxCpuSecondsPerGiB
  return {
    cpuSeconds,
    addressSpaceBytes: LIMITS.sandboxAddressSpaceBytes,
    stackBytes: LIMITS.sandboxStackBytes,
    fileSizeBytes: 0,
    openFiles: LIMITS.sandboxOpenFiles,
  }
}

/** The server has no other way to say that it is ready than to accept a connection. */
async function waitForSocket(socketPath: string, server: Server): Promise<void> {
  const deadline = Date.now() + LIMITS.exportStartMs
  while (Date.now() < deadline) {
    if (await accepts(socketPath)) return
    const ended = await Promise.race([server.failed, sleep(LIMITS.exportPollMs, undefined)])
    if (ended !== undefined) throw ended
  }
  throw new DriverError('transient', `Expected an NBD server within ${LIMITS.exportStartMs} ms, got none`)
}

function accepts(socketPath: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(socketPath)
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
