/**
 * A real machine: an emulated PC with a Debian kernel, whose first process writes numbered blocks to the volume, each flushed to the disk
 * before the next, and says on the console how far it is and how large it sees the volume.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Blockdev } from '../../block-io/device.ts'
import { debianImageFiles } from '../../scripts/setup/debian-image.ts'
import { SLOT_BYTES, SLOTS } from './write-log.ts'

const SECTOR_BYTES = 512
/** Software emulation on a slow and busy machine. */
const WAIT_MS = 120_000

/** Run from a disk of its own, padded behind __END__: a kernel's command line has no room for quotes. */
const PROGRAM = `
use Fcntl; $| = 1;
sysopen(my $disk, "/dev/vdb", O_WRONLY | O_SYNC) or die "open: $!";
for (my ($n, $seen) = (1, ""); ; $n++) {
  sysseek($disk, ($n % ${SLOTS}) * ${SLOT_BYTES}, 0);
  (syswrite($disk, pack("Q<", $n) x ${SLOT_BYTES / 8}) // 0) == ${SLOT_BYTES} or die "write $n: $!";
  print "WRITTEN $n\\n" if $n % 10 == 0;
  open(my $size, "<", "/sys/block/vdb/size"); my $sectors = <$size>;
  print "SECTORS $sectors" if $sectors ne $seen;
  $seen = $sectors;
}
__END__
`

export interface QemuGuest extends AsyncDisposable {
  /** As the guest said last. */
  readonly seen: { readonly writes: number; readonly sizeBytes: number }
  until(what: string, condition: () => boolean): Promise<void>
  /** As when the power fails. */
  kill(): Promise<void>
}

export async function startQemuGuest(options: {
  readonly name: string
  readonly socketFolder: string
  readonly folder: string
  readonly blockdev: Blockdev
}): Promise<QemuGuest> {
  const { name, socketFolder, folder, blockdev } = options
  const { diskPath, kernelPath, initrdPath } = debianImageFiles
  const program = join(folder, 'program.pl')
  await writeFile(program, PROGRAM.padEnd(8 * SECTOR_BYTES, '\n'))
  const args = [
    ...['-accel', 'tcg', '-cpu', 'max', '-m', '512', '-nodefaults', '-no-reboot', '-display', 'none'],
    ...['-serial', 'stdio', '-kernel', kernelPath, '-initrd', initrdPath],
    ...['-append', 'root=/dev/vda rw console=ttyS0 quiet init=/usr/bin/perl -- /dev/vdc'],
    ...['-qmp', `unix:${join(socketFolder, `${name}.sock`)},server=on,wait=off`],
    ...['-drive', `file=${diskPath},format=raw,if=none,id=root,snapshot=on`],
    ...['-device', 'virtio-blk-pci,drive=root'],
    ...['-blockdev', JSON.stringify(blockdev)],
    ...['-device', `virtio-blk-pci,drive=${JSON.parse(JSON.stringify(blockdev['node-name']))}`],
    ...['-drive', `file=${program},format=raw,if=none,id=program,readonly=on`],
    ...['-device', 'virtio-blk-pci,drive=program'],
  ]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64', ...args], {
    env: { PATH: process.env.PATH, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const seen = { writes: 0, sizeBytes: 0 }
  const console: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    console.push(line)
    const [, what, number] = /(WRITTEN|SECTORS) (\d+)/.exec(line) ?? []
    if (what === 'WRITTEN') seen.writes = Number(number)
    if (what === 'SECTORS') seen.sizeBytes = Number(number) * SECTOR_BYTES
  })
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return {
    seen,
    until: async (what, condition) => {
      for (const deadlineMs = Date.now() + WAIT_MS; !condition(); await sleep(20)) {
        if (child.exitCode !== null || Date.now() > deadlineMs)
          throw new Error(`Expected of the guest: ${what}; its console: ${console.slice(-20).join('\n')}`)
      }
    },
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
