import { type Command, InvalidArgumentError, Option } from 'commander'
import type { UpdateScheduleInput, Verification } from '../../sdk/types.ts'
import { parseDuration } from '../duration.ts'
import { durationOption, parsePercent } from '../options.ts'
import { type RetentionOptions, retentionOptions, retentionRules } from './schedule-retention.ts'
import { type SelectionOptions, selectionOptions } from './schedule-selection.ts'

/** What can be said at creation and changed later. */
export interface ScheduleOptions extends RetentionOptions, SelectionOptions {
  readonly name?: string
  readonly target?: string
  readonly cron?: string
  readonly timeZone?: string
  readonly every?: number
  readonly jitter?: number
  readonly catchUp?: number
  readonly fullEvery?: number | 'never'
  readonly overlap?: 'skip' | 'wait'
  readonly note?: string
  readonly alarmAfter?: number | 'auto'
  readonly verify?: NonNullable<Verification['level']> | 'never'
  readonly verifySample?: number
}

export function scheduleOptions(command: Command): Command {
  return retentionOptions(selectionOptions(command))
    .addOption(
      new Option('--verify <level>', 'look at each new backup so closely; default never').choices([
        'never',
        'presence',
        'content',
        'restore',
      ]),
    )
    .addOption(
      new Option('--verify-sample <percent>', 'of its chunks only so many, with --verify').argParser(
        parsePercent,
      ),
    )
    .option('--keep-all', 'delete nothing: the default')
    .addOption(
      new Option(
        '--alarm-after <duration>',
        'a volume without a good backup for so long has an alarm; auto: when two planned times passed without one',
      ).argParser(parseAlarm),
    )
    .option('--cron <expression>', 'minute hour day-of-month month day-of-week, such as "30 2 * * mon-fri"')
    .option('--time-zone <zone>', 'of the cron expression, such as Europe/Berlin; default UTC')
    .addOption(durationOption('--every <duration>', 'instead of cron: 15m, 6h, 1d, …'))
    .option('--target <name>', 'where to keep the backups')
    .addOption(
      new Option(
        '--full-every <count>',
        'every so many backups one is full; never: only the first',
      ).argParser(parseFullEvery),
    )
    .addOption(
      new Option('--overlap <policy>', 'a run whose predecessor still goes on').choices(['skip', 'wait']),
    )
    .addOption(durationOption('--catch-up <duration>', 'how late a run may start; default 1h'))
    .addOption(durationOption('--jitter <duration>', 'each run starts up to this much later'))
    .option('--note <text>')
}

/** What the API wants of them. */
export function scheduleChange(options: ScheduleOptions): UpdateScheduleInput {
  const { name, target, cron, timeZone, every, jitter, catchUp, fullEvery, overlap, note, alarmAfter } =
    options
  const retention = retentionRules(options)
  return {
    ...(name === undefined ? {} : { name }),
    ...(target === undefined ? {} : { target }),
    ...(cron === undefined ? {} : { cron }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(every === undefined ? {} : { intervalSeconds: every }),
    ...(jitter === undefined ? {} : { jitterSeconds: jitter }),
    ...(catchUp === undefined ? {} : { catchUpSeconds: catchUp }),
    ...(fullEvery === undefined ? {} : { fullEvery: fullEvery === 'never' ? null : fullEvery }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(note === undefined ? {} : { note }),
    ...(retention === undefined ? {} : { retention }),
    ...verificationOf(options),
    ...(alarmAfter === undefined ? {} : { alarmAfterSeconds: alarmAfter === 'auto' ? null : alarmAfter }),
  }
}

function verificationOf({ verify, verifySample: samplePercent = 100 }: ScheduleOptions) {
  if (verify === undefined) return {}
  return { verification: verify === 'never' ? null : { level: verify, samplePercent } }
}

function parseAlarm(text: string): number | 'auto' {
  if (text === 'auto') return text
  const seconds = parseDuration(text)
  if (seconds !== undefined) return seconds
  throw new InvalidArgumentError('Expected a duration such as 36h or 7d, or auto.')
}

function parseFullEvery(text: string): number | 'never' {
  if (text === 'never') return text
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1, or never.')
}
