/** A qemu-storage-daemon in the place of a guest: it has a volume open, obeys over QMP, and is written through NBD without a pause. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Blockdev } from '../../block-io/device.ts'
import { NbdClient } from '../../block-io/nbd/client.ts'
import { SLOT_BYTES, slotBytes, SLOTS } from './write-log.ts'

export interface StorageDaemonGuest extends AsyncDisposable {
  readonly pid: number
  /** Writes that had ended, and those that had begun. */
  readonly written: { readonly ended: number; readonly begun: number }
  /** Resolves when so many more have ended. */
  writeMore(count: number): Promise<void>
  /** Lets the write under way end, flushes, and begins no other. */
  stopWriting(): Promise<void>
  kill(): Promise<void>
}

export interface GuestOptions {
  /** Its QMP socket is `<name>.sock` in `socketFolder`. */
  readonly name: string
  readonly socketFolder: string
  readonly blockdev: Blockdev
  /** Of the last write before; default: the log begins. */
  readonly written?: number
}

export async function startStorageDaemonGuest(options: GuestOptions): Promise<StorageDaemonGuest> {
  const { name, socketFolder, blockdev } = options
  const nbdPath = join(socketFolder, `${name}.nbd`)
  const child = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', '--', 'qemu-storage-daemon'],
      ...['--chardev', `socket,id=qmp,path=${join(socketFolder, `${name}.sock`)},server=on,wait=off`],
      ...['--monitor', 'chardev=qmp', '--blockdev', JSON.stringify(blockdev)],
      ...['--nbd-server', `addr.type=unix,addr.path=${nbdPath}`],
      ...[
        '--export',
        `type=nbd,id=disk,node-name=${JSON.parse(JSON.stringify(blockdev['node-name']))},name=disk,writable=on`,
      ],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const ended = once(child, 'exit')
  const client = await connectNbd(nbdPath)
  const log = writeLog(client, options.written ?? 0)
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
    await log.stop().catch(() => undefined)
    await client.close().catch(() => undefined)
  }
  return {
    pid: child.pid ?? 0,
    written: log.written,
    writeMore: log.more,
    stopWriting: log.stop,
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

function writeLog(client: NbdClient, start: number) {
  const written = { begun: start, ended: start }
  let stopped = false
  const run = async () => {
    while (!stopped) {
      const number = ++written.begun
      await client.write(slotBytes(number), (number % SLOTS) * SLOT_BYTES)
      written.ended = number
      // Without it the writer would keep a core busy.
      await sleep(1)
    }
  }
  const running = run()
  // Who waits for it hears of it.
  running.catch(() => undefined)
  return {
    written,
    more: async (count: number) => {
      const goal = written.ended + count
      while (written.ended < goal) await Promise.race([sleep(2), running])
    },
    stop: async () => {
      stopped = true
      await running
      await client.flush()
    },
  }
}

async function connectNbd(socketPath: string): Promise<NbdClient> {
  for (let tries = 0; ; tries++) {
    try {
      return await NbdClient.connect({ socketPath, exportName: 'disk' })
    } catch (error) {
      if (tries === 500) throw error
      await sleep(10)
    }
  }
}
