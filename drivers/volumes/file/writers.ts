import { readFile, stat } from 'node:fs/promises'
import { ifPresent } from './durable.ts'

/** qemu holds a lock on this byte of every image file that it may write (block/file-posix.c: RAW_LOCK_PERM_BASE + BLK_PERM_WRITE). */
const WRITE_PERMISSION_BYTE = 101

const LOCK = /^\d+: \S+ +\S+ +\S+ +\S+ ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/

/**
 * Does a qemu process on this host have one of the files open for writing? (`qemu-img info` does not tell: two openers of a raw image
 * share it without a word.) Elsewhere than on Linux nobody can say: false.
 */
export async function isOpenForWriting(paths: readonly string[]): Promise<boolean> {
  const files = await Promise.all(paths.map((path) => ifPresent(stat(path, { bigint: true }))))
  const locks = (await ifPresent(readFile('/proc/locks', 'latin1'))) ?? ''
  return locks.split('\n').some((line) => {
    const [, major, minor, inode, first, last] = LOCK.exec(line) ?? []
    if (inode === undefined || !includesWriteByte(Number(first), `${last}`)) return false
    return files.some((file) => file?.ino === BigInt(inode) && sameDevice(file.dev, `${major}`, `${minor}`))
  })
}

function includesWriteByte(first: number, last: string): boolean {
  return first <= WRITE_PERMISSION_BYTE && (last === 'EOF' || Number(last) >= WRITE_PERMISSION_BYTE)
}

/** btrfs, overlays and network file systems show stat(2) another device than the lock table, both with major 0: the inode must do. */
function sameDevice(dev: bigint, major: string, minor: string): boolean {
  const shown = { major: BigInt(`0x${major}`), minor: BigInt(`0x${minor}`) }
  const own = { major: (dev >> 8n) & 0xfffn, minor: (dev & 0xffn) | ((dev >> 12n) & 0xfff00n) }
  if (own.major === 0n) return shown.major === 0n
  return own.major === shown.major && own.minor === shown.minor
}
