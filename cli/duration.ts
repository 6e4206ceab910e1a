const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

/** `90s`, `15m`, `6h`, `7d` -> seconds; undefined: it is none. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,8})([smhd])$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * SECONDS[unit as keyof typeof SECONDS]
}

/** `5400` -> `90m`: in the largest unit that divides it. */
export function formatDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (seconds > 0 && seconds % SECONDS[unit] === 0) return `${seconds / SECONDS[unit]}${unit}`
  }
  return `${seconds}s`
}
