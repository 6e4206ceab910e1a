import type { Command } from 'commander'
import type { ScheduleFilter } from '../../sdk/schedules.ts'
import type { Schedule } from '../../sdk/types.ts'
import { formatDuration } from '../duration.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { pageable } from '../options.ts'
import { printFields, printResult, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import type { Row } from '../table.ts'
import { type ScheduleOptions, scheduleChange, scheduleOptions } from './schedule-options.ts'
import { describeRetention, retentionCommands } from './schedule-retention.ts'
import { concludeRuns, listRuns } from './schedule-runs.ts'
import { describeVolumes, selectionOf } from './schedule-selection.ts'

interface CreateOptions extends ScheduleOptions {
  readonly name: string
  readonly paused?: boolean
}

interface UpdateOptions extends ScheduleOptions {
  readonly volumes?: string[]
}

export function scheduleCommands(program: Command): void {
  const schedule = program.command('schedule').description('backups of volumes, again and again')
  scheduleOptions(schedule.command('create'))
    .description('back up volumes again and again')
    .argument('[volumes...]', 'ids or names; or say below which volumes')
    .requiredOption('--name <name>', 'its backups are called so, too')
    .option('--paused', 'do not let it run yet')
    .action(async (names: string[], options: CreateOptions, command: Command) => {
      const session = sessionOf(command)
      const { name, paused } = options
      const volumes = await selectionOf(session, names, options)
      if (volumes === undefined) throw noVolumes()
      const input = { ...scheduleChange(options), name, volumes, ...(paused === true && { paused }) }
      show(session, await session.client.schedules.create(input, session.request))
    })
  scheduleOptions(schedule.command('update'))
    .description('change what is given and leave the rest')
    .argument('<schedule>', 'id or name')
    .option('--name <name>')
    .option('--volumes <volume...>', 'these instead')
    .action(async (idOrName: string, options: UpdateOptions, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      const volumes = await selectionOf(session, options.volumes ?? [], options)
      const change = { ...scheduleChange(options), ...(volumes === undefined ? {} : { volumes }) }
      show(session, await session.client.schedules.update(id, change))
    })
  readCommands(schedule)
  retentionCommands(schedule)
  actionCommands(schedule)
}

function readCommands(schedule: Command): void {
  pageable(schedule.command('list'))
    .description('list schedules, newest first')
    .option('--name <name>')
    .action(async (filter: ScheduleFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.schedules.list(filter)
      const columns = ['ID', 'NAME', 'STATUS', 'VOLUMES', 'TARGET', 'WHEN', 'KEEPS', 'NEXT']
      printTable(session, page, columns, page.items.map(row))
    })
  schedule
    .command('show')
    .description('show one schedule and its next runs')
    .argument('<schedule>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      show(session, await session.client.schedules.show(await resolve(session, 'schedule', idOrName)))
    })
  pageable(schedule.command('runs'))
    .description('list its runs, latest first, with those that did not start')
    .argument('<schedule>', 'id or name')
    .action(async (idOrName: string, page: { limit?: number; marker?: string }, command: Command) => {
      const session = sessionOf(command)
      await listRuns(session, await resolve(session, 'schedule', idOrName), page)
    })
}

function actionCommands(schedule: Command): void {
  const onSchedule = (name: string, about: string) =>
    schedule.command(name).description(about).argument('<schedule>', 'id or name')
  onSchedule('run', 'make its backups now, also while it is paused').action(
    async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      await concludeRuns(session, (await session.client.schedules.run(id, session.request)).runs)
    },
  )
  onSchedule('pause', 'let no run start until it is unpaused')
    .option('--note <text>', 'why')
    .action(async (idOrName: string, options: { note?: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      show(session, await session.client.schedules.pause(id, options))
    })
  onSchedule('unpause', 'let it run again').action(async (idOrName: string, _options, command: Command) => {
    const session = sessionOf(command)
    show(session, await session.client.schedules.unpause(await resolve(session, 'schedule', idOrName)))
  })
  onSchedule('delete', 'delete a schedule; its backups stay').action(
    async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      const deleted = await session.client.schedules.delete(id)
      printResult(session, deleted, () => `Deleted schedule ${id}`)
    },
  )
}

function show(session: Session, schedule: Schedule): void {
  printFields(session, schedule, fields(schedule))
}

function row(schedule: Schedule): Row {
  const { id, name, volumes, target, retention, nextRuns } = schedule
  return {
    ID: id,
    NAME: name,
    STATUS: statusOf(schedule),
    VOLUMES: describeVolumes(volumes),
    TARGET: target,
    WHEN: timingOf(schedule),
    KEEPS: describeRetention(retention),
    NEXT: nextRuns[0],
  }
}

function fields(schedule: Schedule): Row {
  const { id, name, volumes, target, jitterSeconds, catchUpSeconds, fullEvery, overlap } = schedule
  const { retention, alarmAfterSeconds, alarmCount } = schedule
  return {
    ...{ id, name },
    status: statusOf(schedule),
    note: schedule.note,
    volumes: describeVolumes(volumes),
    target,
    keeps: describeRetention(retention),
    verifies: describeVerification(schedule),
    'alarm after': alarmAfterSeconds === null ? 'two planned times' : formatDuration(alarmAfterSeconds),
    alarms: alarmCount,
    when: timingOf(schedule),
    jitter: jitterSeconds === 0 ? null : `up to ${formatDuration(jitterSeconds)}`,
    'catches up within': formatDuration(catchUpSeconds),
    'full backup': fullEvery === null ? 'only the first' : fullEvery === 1 ? 'each' : `one in ${fullEvery}`,
    'when the one before still runs': overlap,
    'next runs': schedule.nextRuns.join(', '),
    'refused by Temporal': schedule.applyError,
    created: schedule.createdAt,
    updated: schedule.updatedAt,
  }
}

function statusOf({ paused, applied, alarmCount }: Schedule): string {
  const alarms = alarmCount === 0 ? '' : `, ${alarmCount} alarm${alarmCount === 1 ? '' : 's'}`
  return `${paused ? 'paused' : 'active'}${alarms}${applied ? '' : ' (not applied yet)'}`
}

function timingOf({ cron, timeZone, intervalSeconds }: Schedule): string {
  return cron === null ? `every ${formatDuration(intervalSeconds ?? 0)}` : `${cron} ${timeZone}`
}

function describeVerification({ verification }: Schedule): string {
  if (verification === null) return 'no backup'
  const { level, samplePercent } = verification
  return `each backup: ${level}${samplePercent === 100 ? '' : `, ${samplePercent} %`}`
}

function noVolumes(): CliError {
  const message = 'Expected volumes, or --with-metadata, --with-type or --all-volumes, got none of these.'
  return new CliError(EXIT.usage, 'volumesMissing', message)
}
