/** What retention keeps, said a second time: by the dates that calendars show, without regard for speed. Shares no code with the product. */
export interface ModelBackup {
  readonly id: string
  readonly takenAtMs: number
  readonly good: boolean
}

export type ModelRules = Partial<
  Record<'last' | 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly' | 'withinSeconds', number>
>

export function modelKeeps(
  backups: readonly ModelBackup[],
  rules: ModelRules,
  nowMs: number,
  timeZone: string,
): Set<string> {
  const good = backups.filter((backup) => backup.good).toSorted((a, b) => a.takenAtMs - b.takenAtMs)
  const kept = new Set<string>()
  const newest = good.at(-1)
  if (newest !== undefined) kept.add(newest.id)
  for (const { id } of good.slice(rules.last === undefined ? good.length : -rules.last)) kept.add(id)
  for (const { id, takenAtMs } of good)
    if (rules.withinSeconds !== undefined && nowMs - takenAtMs <= rules.withinSeconds * 1000) kept.add(id)
  for (const period of ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const) {
    // A later backup of the same hour, day, … takes the place of the one before.
    const newestOf = new Map<string, string>()
    for (const { id, takenAtMs } of good) newestOf.set(nameOf(period, takenAtMs, timeZone), id)
    const count = rules[period] ?? 0
    if (count > 0) for (const id of [...newestOf.values()].slice(-count)) kept.add(id)
  }
  for (const { id, takenAtMs, good: isGood } of backups)
    if (!isGood && !good.some((other) => other.takenAtMs > takenAtMs)) kept.add(id)
  return kept
}

function nameOf(
  period: 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly',
  timeMs: number,
  timeZone: string,
): string {
  if (period === 'hourly') return new Date(timeMs).toISOString().slice(0, 13)
  const date = formatOf(timeZone).format(timeMs)
  if (period === 'daily') return date
  if (period === 'monthly') return date.slice(0, 7)
  if (period === 'yearly') return date.slice(0, 4)
  // A week is known by its Monday.
  const day = new Date(`${date}T00:00:00Z`)
  while (day.getUTCDay() !== 1) day.setUTCDate(day.getUTCDate() - 1)
  return day.toISOString().slice(0, 10)
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Making one takes longer than using it a hundred times. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone })
  formats.set(timeZone, format)
  return format
}
