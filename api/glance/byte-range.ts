/** `start` inclusive, `end` exclusive. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * What a Range header asks for of `sizeBytes` bytes (RFC 9110, 14.2). Undefined: it is to be ignored, since it has another unit. Several
 * ranges at once are not served, as by Glance.
 */
export function rangeOf(header: string, sizeBytes: number): ByteRange | 'unsatisfiable' | undefined {
  if (!header.startsWith('bytes=')) return undefined
  const parts = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header)
  const [, first = '', last = ''] = parts ?? []
  if (first === '' && last === '') return 'unsatisfiable'
  const suffix = first === '' ? Number(last) : undefined
  const start = suffix === undefined ? Number(first) : Math.max(0, sizeBytes - suffix)
  const end = suffix !== undefined || last === '' ? sizeBytes : Math.min(sizeBytes, Number(last) + 1)
  return start < end ? { start, end } : 'unsatisfiable'
}
