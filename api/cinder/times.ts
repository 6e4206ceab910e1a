/** As Cinder writes times: UTC without a `Z`, with microseconds. gophercloud refuses any other form. */
export function cinderTime(time: string): string
export function cinderTime(time: string | null): string | null
export function cinderTime(time: string | null): string | null {
  return time === null ? null : `${time.slice(0, 23)}000`
}

/** As filters give it (`2026-11-27T10:00:00`, with or without `Z`), in our own form. Undefined: no time. */
export function parseTime(text: string): string | undefined {
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(text)
    ? text
    : `${text}${text.includes('T') ? 'Z' : 'T00:00:00Z'}`
  const ms = Date.parse(zoned)
  return Number.isNaN(ms) || !/^\d{4}-\d\d-\d\d/.test(text) ? undefined : new Date(ms).toISOString()
}
