import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './duration.ts'
import { CliError } from './exit-codes.ts'
import { parseSize } from './size.ts'

/** Options that several commands have, parsed the same way everywhere. */
export function describable(command: Command): Command {
  return command
    .option('--name <name>', 'a name, which need not be unique')
    .option('--description <text>')
    .addOption(pairsOption('--metadata <key=value...>', 'may be given several times'))
}

export interface Describable {
  readonly name?: string
  readonly description?: string
  readonly metadata?: Record<string, string>
}

/** What the API wants of them. */
export function describedBy({ name, description, metadata }: Describable): Describable {
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

export function pageable(command: Command): Command {
  return command
    .option('--limit <count>', 'at most this many', parseCount)
    .option('--marker <id>', 'only what comes after this one')
}

export function sizeOption(description: string): Option {
  return new Option('--size <size>', description).argParser((text: string) =>
    asArgument(() => parseSize(text)),
  )
}

export function pairsOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parsePair).default(undefined)
}

export function durationOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string) => {
    const seconds = parseDuration(text)
    if (seconds !== undefined) return seconds
    throw new InvalidArgumentError('Expected a duration such as 90s, 15m, 6h or 7d.')
  })
}

function parsePair(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const [key, ...rest] = text.split('=')
  if (key === undefined || key === '' || rest.length === 0) {
    throw new InvalidArgumentError('Expected key=value.')
  }
  return { ...earlier, [key]: rest.join('=') }
}

export function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

export function parsePercent(text: string): number {
  const percent = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (percent >= 1 && percent <= 100) return percent
  throw new InvalidArgumentError('Expected a whole number from 1 to 100.')
}

export function parseEventId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected the id of an event, or 0.')
}

function asArgument<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new InvalidArgumentError(error instanceof CliError ? error.message : String(error))
  }
}
