import type { Blockdev } from '../../block-io/device.ts'
import { asFilename } from '../../block-io/map.ts'
import { runProcess } from '../../block-io/process.ts'
import type { SourceImage } from './source-image.ts'

/** Software emulation on a slow and busy machine. */
const BOOT_TIMEOUT_MS = 300_000
const UP = 'BOOT-OK'

export interface Boot {
  readonly booted: boolean
  /** Of the file that was asked for, as the guest read it. */
  readonly sha256: string | undefined
}

/**
 * Starts the disk in a machine that is emulated, so that it needs no rights; what the guest writes is thrown away. The guest hashes
 * one file and switches itself off.
 */
export async function bootVolume(
  disk: Blockdev,
  { kernelPath, initrdPath }: NonNullable<SourceImage['boot']>,
  guestFile: string,
  options: { folder: string; signal: AbortSignal },
): Promise<Boot> {
  const script = `echo ${UP}; sha256sum ${guestFile}; echo o > /proc/sysrq-trigger; sleep 9`
  const { stdout } = await runProcess(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-cpu', 'max', '-m', '512', '-nodefaults', '-no-reboot', '-display', 'none'],
      ...['-serial', 'stdio', '-kernel', kernelPath, '-initrd', initrdPath],
      ...['-append', `root=/dev/vda rw console=ttyS0 quiet init=/bin/sh -- -c "${script}"`],
      // In an option a comma is written twice.
      ...['-drive', `file=${asFilename(disk).replaceAll(',', ',,')},if=virtio,snapshot=on`],
    ],
    { env: { TMPDIR: options.folder }, timeoutMs: BOOT_TIMEOUT_MS, signal: options.signal },
  )
  return { booted: stdout.includes(UP), sha256: /^([0-9a-f]{64}) /m.exec(stdout)?.[1] }
}
