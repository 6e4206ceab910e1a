import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Retention, RetentionDecision } from '../../sdk/types.ts'
import { formatDuration } from '../duration.ts'
import { durationOption, pageable, parseCount } from '../options.ts'
import { printResult, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'
import type { Row } from '../table.ts'

const PERIODS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const

/** `--keep-daily` arrives as `keepDaily`. */
export type RetentionOptions = { readonly keepWithin?: number; readonly keepAll?: boolean } & {
  readonly [P in (typeof PERIODS)[number] as `keep${Capitalize<P>}`]?: number
}

export function retentionOptions(command: Command): Command {
  for (const period of PERIODS) {
    const about =
      period === 'last'
        ? 'keep the newest so many'
        : `keep one backup each of so many ${period.replace(/ly$/, '').replace('dai', 'day')}s`
    command.addOption(new Option(`--keep-${period} <count>`, about).argParser(parseCount))
  }
  return command.addOption(
    durationOption('--keep-within <duration>', 'keep all that are at most so old: 48h, 30d, …'),
  )
}

/** Undefined: nothing was said. Null: all stay. */
export function retentionRules(options: RetentionOptions): Retention | null | undefined {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithin, keepAll } =
    options
  const rules: Retention = {
    ...(keepLast === undefined ? {} : { last: keepLast }),
    ...(keepHourly === undefined ? {} : { hourly: keepHourly }),
    ...(keepDaily === undefined ? {} : { daily: keepDaily }),
    ...(keepWeekly === undefined ? {} : { weekly: keepWeekly }),
    ...(keepMonthly === undefined ? {} : { monthly: keepMonthly }),
    ...(keepYearly === undefined ? {} : { yearly: keepYearly }),
    ...(keepWithin === undefined ? {} : { withinSeconds: keepWithin }),
  }
  if (Object.keys(rules).length === 0) return keepAll === true ? null : undefined
  if (keepAll === true) throw new InvalidArgumentError('Expected --keep-all or other rules, got both.')
  return rules
}

export function describeRetention(rules: Retention | null): string {
  if (rules === null) return 'all'
  const { withinSeconds, ...counts } = rules
  const parts = Object.entries(counts).map(([period, count]) => `${period} ${count}`)
  if (withinSeconds !== undefined) parts.push(`within ${formatDuration(withinSeconds)}`)
  return parts.join(', ')
}

export function retentionCommands(schedule: Command): void {
  retentionOptions(pageable(schedule.command('retention')))
    .description('say of each of its backups whether it stays, and why; other rules can be tried out')
    .argument('<schedule>', 'id or name')
    .action(
      async (
        idOrName: string,
        options: RetentionOptions & { limit?: number; marker?: string },
        command: Command,
      ) => {
        const session = sessionOf(command)
        const { limit, marker } = options
        const page = await session.client.schedules.retention(await resolve(session, 'schedule', idOrName), {
          ...retentionRules(options),
          ...(limit === undefined ? {} : { limit }),
          ...(marker === undefined ? {} : { marker }),
        })
        printTable(session, page, ['BACKUP', 'TAKEN', 'VOLUME', 'STATUS', 'KEEP', 'WHY'], page.items.map(row))
      },
    )
  schedule
    .command('prune')
    .description('delete now what no rule keeps; --dry-run only says what that is')
    .argument('<schedule>', 'id or name')
    .option('--dry-run', 'delete nothing')
    .action(async (idOrName: string, { dryRun }: { dryRun?: boolean }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      if (dryRun === true) {
        const page = await session.client.schedules.retention(id, { limit: 1000 })
        const dropped = { ...page, items: page.items.filter(({ keep }) => !keep) }
        printTable(session, dropped, ['BACKUP', 'TAKEN', 'VOLUME', 'STATUS', 'WHY'], dropped.items.map(row))
        return
      }
      const pruned = await session.client.schedules.prune(id)
      printResult(session, pruned, () => `Deleting ${pruned.deletions.length} backups`)
    })
  schedule
    .command('alarms')
    .description('list its volumes without a good backup for too long')
    .argument('<schedule>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const { items } = await session.client.schedules.alarms(await resolve(session, 'schedule', idOrName))
      const rows = items.map(({ volumeId, raisedAt, lastGoodAt }) => ({
        VOLUME: volumeId,
        SINCE: raisedAt,
        'LAST GOOD': lastGoodAt ?? 'never',
      }))
      printTable(session, { items, next: null }, ['VOLUME', 'SINCE', 'LAST GOOD'], rows)
    })
}

function row({ backupId, takenAt, volumeId, status, keep, reasons }: RetentionDecision): Row {
  return {
    BACKUP: backupId,
    TAKEN: takenAt,
    VOLUME: volumeId,
    STATUS: status,
    KEEP: keep ? 'yes' : 'no',
    WHY: reasons.join(', '),
  }
}
