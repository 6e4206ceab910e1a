/** What an image's file may be. An `iso` is kept and read as what it is: the bytes of a disk. */
export const DISK_FORMATS = ['raw', 'qcow2', 'iso'] as const
export type DiskFormat = (typeof DISK_FORMATS)[number]

/** How the blocks in it are found. */
export type BlockFormat = Exclude<DiskFormat, 'iso'>

export function blockFormat(format: DiskFormat): BlockFormat {
  return format === 'iso' ? 'raw' : format
}
