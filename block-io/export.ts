/**
 * Serves a device over NBD on a unix socket, read-only unless asked otherwise: to our worker threads, and, for a user's qcow2, from inside a sandbox
 * that holds that one file and nothing else.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { startConfined } from './confined.ts'
import { type Blockdev, type BlockDevice, isNode, type NbdSpec } from './device.ts'
import { fileError } from './file-errors.ts'
import { type RunningProcess, startProcess } from './process.ts'
import { EXPORT_NAME, SERVER_MALLOC, storageDaemonArguments } from './storage-daemon.ts'

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

/** Throws DriverError. The server also ends when this thread ends, however it ends. */
export async function serveDevice(device: BlockDevice, options: ExportOptions): Promise<DeviceExport> {
  const { file } = device.blockdev
  if (!options.confined || !isNode(file) || file.driver === 'file') return serve(device, options)
  // No sandbox reaches a cluster, or may hold its key: a server of ours reads the bytes for it, without a word about their format.
  const bytes = await serve({ sizeBytes: device.sizeBytes, blockdev: file }, { ...options, confined: false })
  try {
    const server = await serve({ ...device, blockdev: { ...device.blockdev, file: bytes.blockdev } }, options)
    const close = async () => {
      await server.close()
      await bytes.close()
    }
    return { ...server, close }
  } catch (error) {
    await bytes.close()
    throw error
  }
}

async function serve(device: BlockDevice, options: ExportOptions): Promise<DeviceExport> {
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
  return startProcess('qemu-storage-daemon', args, { env: SERVER_MALLOC })
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
