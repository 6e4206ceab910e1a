/** The sandbox in which a user's container format is read: it holds the image's bytes and qemu, and nothing else. */
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { GiB } from '../domain/sizes.ts'
import { type Blockdev, type BlockdevOption, type BlockDevice, isNode } from './device.ts'
import { fileError } from './file-errors.ts'
import { type RunningProcess, startProcess } from './process.ts'
import { SERVER_MALLOC, storageDaemonArguments } from './storage-daemon.ts'

/** Inside the sandbox: a file is the first descriptor that we pass. */
const INPUT = '/proc/self/fd/3'
const INPUT_SERVER = '/run/input'
const DIRECTORY = '/run/export'

/** Serves on the socket `socket` of `directory`. */
export async function startConfined(device: BlockDevice, directory: string): Promise<RunningProcess> {
  const { driver: format, file } = device.blockdev
  const path = textOf(file, 'file', 'filename')
  if (path !== undefined) return startOnFile(device, path, directory)
  const socketPath = isNode(file) ? textOf(file['server'], 'unix', 'path') : undefined
  if (socketPath === undefined) throw notServable(format)
  // The server's socket is in a directory of its own.
  const bytes = { ...(file as Blockdev), server: { type: 'unix', path: `${INPUT_SERVER}/socket` } }
  const mounts = ['--ro-bind', dirname(socketPath), INPUT_SERVER]
  return startProcess('bwrap', [...sandboxArguments(), ...mounts, ...serving(format, bytes, directory)], {
    limits: sandboxLimits(device.sizeBytes),
  })
}

/** Opened here once and passed as a descriptor: no path exists in the sandbox that could be swapped or followed. */
async function startOnFile(device: BlockDevice, path: string, directory: string): Promise<RunningProcess> {
  const input = await open(path, 'r').catch(fileError)
  try {
    const { size } = await input.stat().catch(fileError)
    const file = { driver: 'file', filename: INPUT, locking: 'off' }
    const args = [...sandboxArguments(), ...serving(device.blockdev.driver, file, directory)]
    return startProcess('bwrap', args, {
      limits: sandboxLimits(Math.max(size, device.sizeBytes)),
      passFileDescriptors: [input.fd],
    })
  } finally {
    // The child has its own copy of the descriptor from the moment it is started.
    await input.close()
  }
}

function serving(format: string, file: Blockdev, directory: string): string[] {
  if (format !== 'qcow2' && format !== 'raw') throw notServable(format)
  // No backing file and no external data file, whatever the header says.
  const blockdev: Blockdev =
    format === 'raw' ? { driver: 'raw', file } : { driver: 'qcow2', file, backing: null }
  return [
    ...['--bind', directory, DIRECTORY],
    '--',
    'qemu-storage-daemon',
    ...storageDaemonArguments(blockdev, `${DIRECTORY}/socket`),
  ]
}

/** For bwrap: no network, no file of the host besides its programs. */
export function sandboxArguments(): string[] {
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv'],
    // Without the limit of arenas each thread reserves 64 MiB, and under load there is no address space for the next one: qemu aborts.
    ...Object.entries(SERVER_MALLOC).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/lib', '/lib', '--symlink', 'usr/lib64', '/lib64'],
    ...['--proc', '/proc', '--dev', '/dev', '--chdir', '/'],
  ]
}

function sandboxLimits(bytes: number) {
  return {
    cpuSeconds: LIMITS.sandboxCpuBaseSeconds + (bytes / GiB) * LIMITS.sandboxCpuSecondsPerGiB,
    addressSpaceBytes: LIMITS.sandboxAddressSpaceBytes,
    stackBytes: LIMITS.sandboxStackBytes,
    fileSizeBytes: 0,
    openFiles: LIMITS.sandboxOpenFiles,
  }
}

/** What a node or an address says under `name`, if it is of the kind. */
function textOf(option: BlockdevOption | undefined, kind: string, name: string): string | undefined {
  if (typeof option !== 'object' || option === null) return undefined
  const value = option['driver'] === kind || option['type'] === kind ? option[name] : undefined
  return typeof value === 'string' ? value : undefined
}

function notServable(format: string): DriverError {
  return new DriverError('unsupported', `Expected one qcow2 or raw file to serve confined, got ${format}`)
}
