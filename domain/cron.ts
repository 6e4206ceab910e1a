import { RequestError } from './errors.ts'
import { LIMITS } from './limits.ts'

/** What each of the five fields allows, in ascending order. Sunday is 0. */
export interface Cron {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly daysOfMonth: readonly number[]
  readonly months: readonly number[]
  readonly daysOfWeek: readonly number[]
}

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Names of the values from `min` on. */
  readonly words?: readonly string[]
}

const MINUTE: Field = { name: 'minute', min: 0, max: 59 }
const HOUR: Field = { name: 'hour', min: 0, max: 23 }
const DAY_OF_MONTH: Field = { name: 'day of the month', min: 1, max: 31 }
const MONTH: Field = {
  name: 'month',
  min: 1,
  max: 12,
  words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
}
/** 7 is Sunday again, so that `5-7` can be written. */
const DAY_OF_WEEK: Field = {
  name: 'day of the week',
  min: 0,
  max: 7,
  words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
}

/**
 * Reads `minute hour day-of-month month day-of-week` with lists, ranges, steps and English names. Throws RequestError 400. Days of the
 * month and of the week together are refused: programs differ in whether both or either must match.
 */
export function parseCron(text: string): Cron {
  const fields = text.trim().split(/\s+/)
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields
  if (
    fields.length !== 5 ||
    minute === undefined ||
    hour === undefined ||
    dayOfMonth === undefined ||
    month === undefined ||
    dayOfWeek === undefined
  ) {
    throw invalid(`five fields (minute hour day-of-month month day-of-week), got ${quoted(text)}`)
  }
  if (dayOfMonth !== '*' && dayOfWeek !== '*') {
    throw invalid(
      `a * for the day of the month or for the day of the week, got ${quoted(`${dayOfMonth} … ${dayOfWeek}`)}. Make two schedules instead`,
    )
  }
  return {
    minutes: parseField(MINUTE, minute),
    hours: parseField(HOUR, hour),
    daysOfMonth: parseField(DAY_OF_MONTH, dayOfMonth),
    months: parseField(MONTH, month),
    daysOfWeek: ascending(parseField(DAY_OF_WEEK, dayOfWeek).map((day) => day % 7)),
  }
}

/** The same in numbers only: there is no second way to read it. */
export function formatCron({ minutes, hours, daysOfMonth, months, daysOfWeek }: Cron): string {
  return [
    formatField(minutes, 60),
    formatField(hours, 24),
    formatField(daysOfMonth, 31),
    formatField(months, 12),
    formatField(daysOfWeek, 7),
  ].join(' ')
}

function formatField(values: readonly number[], all: number): string {
  return values.length === all ? '*' : values.join(',')
}

function parseField(field: Field, text: string): number[] {
  return ascending(text.split(',').flatMap((part) => parsePart(field, part)))
}

/** `*`, `4`, `mon`, `1-5`, each with an optional `/step`; `4/2` is `4-max/2`. */
function parsePart(field: Field, part: string): number[] {
  const [, range, first, last, stepText] = /^(\*|(\w+)(?:-(\w+))?)(?:\/(\d{1,2}))?$/.exec(part) ?? []
  if (range === undefined) throw invalidField(field, part)
  const step = stepText === undefined ? 1 : Number(stepText)
  const from = range === '*' ? field.min : parseValue(field, first, part)
  const to =
    last !== undefined
      ? parseValue(field, last, part)
      : range === '*' || stepText !== undefined
        ? field.max
        : from
  if (step === 0 || to < from) throw invalidField(field, part)
  const values = []
  for (let value = from; value <= to; value += step) values.push(value)
  return values
}

function parseValue(field: Field, text: string | undefined, part: string): number {
  const word = field.words?.indexOf(text?.toLowerCase() ?? '') ?? -1
  const value = word >= 0 ? word + field.min : /^\d{1,2}$/.test(text ?? '') ? Number(text) : Number.NaN
  if (value >= field.min && value <= field.max) return value
  throw invalidField(field, part)
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b)
}

function invalidField({ name, min, max, words }: Field, part: string): RequestError {
  const names = words === undefined ? '' : ` (or ${words[0]}, ${words[1]}, …)`
  return invalid(`the ${name} to be from ${min} to ${max}${names}, *, a-b, a,b or */n, got ${quoted(part)}`)
}

function invalid(expectation: string): RequestError {
  return new RequestError(400, 'invalidCron', `Expected cron with ${expectation}.`)
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, LIMITS.quotedValueLengthMax))
}
