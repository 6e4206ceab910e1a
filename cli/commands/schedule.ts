import type { Command } from 'commander'
import type { ScheduleFilter } from '../../sdk/client.ts'
import type { Schedule } from '../../sdk/types.ts'
import { formatDuration } from '../duration.ts'
import { conclude } from '../follow.ts'
import { pageable } from '../options.ts'
import { printFields, printResult, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import type { Row } from '../table.ts'
import { type ScheduleOptions, scheduleChange, scheduleOptions } from './schedule-options.ts'
import { listRuns } from './schedule-runs.ts'

interface CreateOptions extends ScheduleOptions {
  readonly name: string
  readonly paused?: boolean
}

export function scheduleCommands(program: Command): void {
  const schedule = program.command('schedule').description('backups of a volume, again and again')
  scheduleOptions(schedule.command('create'))
    .description('back up a volume again and again')
    .argument('<volume>', 'id or name')
    .requiredOption('--name <name>', 'its backups are called so, too')
    .option('--paused', 'do not let it run yet')
    .action(async (volume: string, options: CreateOptions, command: Command) => {
      const session = sessionOf(command)
      const { name, paused } = options
      const volumeId = await resolve(session, 'volume', volume)
      const input = { ...scheduleChange(options), name, volumeId, ...(paused === true && { paused }) }
      show(session, await session.client.createSchedule(input, session.request))
    })
  scheduleOptions(schedule.command('update'))
    .description('change what is given and leave the rest')
    .argument('<schedule>', 'id or name')
    .option('--name <name>')
    .action(async (idOrName: string, options: ScheduleOptions, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      show(session, await session.client.updateSchedule(id, scheduleChange(options)))
    })
  readCommands(schedule)
  actionCommands(schedule)
}

function readCommands(schedule: Command): void {
  pageable(schedule.command('list'))
    .description('list schedules, newest first')
    .option('--name <name>')
    .option('--volume <volume>', 'only those of this volume')
    .action(async ({ volume, ...rest }: ScheduleFilter & { volume?: string }, command: Command) => {
      const session = sessionOf(command)
      const filter =
        volume === undefined ? rest : { ...rest, volumeId: await resolve(session, 'volume', volume) }
      const page = await session.client.listSchedules(filter)
      const columns = ['ID', 'NAME', 'STATUS', 'VOLUME', 'TARGET', 'WHEN', 'NEXT']
      printTable(session, page, columns, page.items.map(row))
    })
  schedule
    .command('show')
    .description('show one schedule and its next runs')
    .argument('<schedule>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      show(session, await session.client.showSchedule(await resolve(session, 'schedule', idOrName)))
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
  onSchedule('run', 'make its backup now, also while it is paused').action(
    async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      const answer = await session.client.runSchedule(id, session.request)
      const { operation } = answer
      const showBackup = () => session.client.showBackup(operation.resourceId)
      await conclude(session, { noun: 'backup', operation, answer, show: showBackup })
    },
  )
  onSchedule('pause', 'let no run start until it is unpaused')
    .option('--note <text>', 'why')
    .action(async (idOrName: string, options: { note?: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      show(session, await session.client.pauseSchedule(id, options))
    })
  onSchedule('unpause', 'let it run again').action(async (idOrName: string, _options, command: Command) => {
    const session = sessionOf(command)
    show(session, await session.client.unpauseSchedule(await resolve(session, 'schedule', idOrName)))
  })
  onSchedule('delete', 'delete a schedule; its backups stay').action(
    async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'schedule', idOrName)
      const deleted = await session.client.deleteSchedule(id)
      printResult(session, deleted, () => `Deleted schedule ${id}`)
    },
  )
}

function show(session: Session, schedule: Schedule): void {
  printFields(session, schedule, fields(schedule))
}

function row(schedule: Schedule): Row {
  const { id, name, volumeId, target, nextRuns } = schedule
  return {
    ID: id,
    NAME: name,
    STATUS: statusOf(schedule),
    VOLUME: volumeId,
    TARGET: target,
    WHEN: timingOf(schedule),
    NEXT: nextRuns[0],
  }
}

function fields(schedule: Schedule): Row {
  const { id, name, volumeId, target, jitterSeconds, catchUpSeconds, fullEvery, overlap } = schedule
  return {
    ...{ id, name },
    status: statusOf(schedule),
    note: schedule.note,
    volume: volumeId,
    target,
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

function statusOf({ paused, applied }: Schedule): string {
  return `${paused ? 'paused' : 'active'}${applied ? '' : ' (not applied yet)'}`
}

function timingOf({ cron, timeZone, intervalSeconds }: Schedule): string {
  return cron === null ? `every ${formatDuration(intervalSeconds ?? 0)}` : `${cron} ${timeZone}`
}
