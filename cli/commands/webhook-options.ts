import { type Command, InvalidArgumentError, Option } from 'commander'
import { EVENT_TYPES, type EventType } from '../../domain/events.ts'
import { OPERATION_KINDS, type OperationKind } from '../../domain/operations.ts'
import type { UpdateWebhookInput } from '../../sdk/types.ts'
import { parseEventId } from '../options.ts'

const ALL = 'all'
const DEFAULT = 'default'

/** What can be said at creation and changed later. */
export interface WebhookOptions {
  readonly name?: string
  readonly event?: readonly (EventType | typeof DEFAULT)[]
  readonly kind?: readonly (OperationKind | typeof ALL)[]
  readonly resource?: string
}

export function webhookOptions(command: Command): Command {
  return command
    .option('--name <name>', 'a name, which need not be unique')
    .addOption(
      new Option('--event <type...>', 'only events of these types; default: all but progress').choices([
        ...EVENT_TYPES,
        DEFAULT,
      ]),
    )
    .addOption(
      new Option('--kind <kind...>', 'only those of operations of these kinds; default: all').choices([
        ...OPERATION_KINDS,
        ALL,
      ]),
    )
    .option('--resource <id>', 'only those of operations about this resource; all: about any')
}

/** What the API wants of them. */
export function webhookChange({ name, event, kind, resource }: WebhookOptions): UpdateWebhookInput {
  return {
    ...(name === undefined ? {} : { name }),
    ...(event === undefined ? {} : { eventTypes: listOf<EventType>(event, DEFAULT) }),
    ...(kind === undefined ? {} : { kinds: listOf<OperationKind>(kind, ALL) }),
    ...(resource === undefined ? {} : { resourceId: resource === ALL ? null : resource }),
  }
}

/** Null where one of them stands for no restriction. */
function listOf<T extends string>(words: readonly string[], unrestricted: string): T[] | null {
  return words.includes(unrestricted) ? null : [...new Set(words as readonly T[])]
}

export function parseAfter(text: string): number | 'newest' {
  if (text === 'newest') return text
  try {
    return parseEventId(text)
  } catch {
    throw new InvalidArgumentError('Expected the id of an event, 0, or newest.')
  }
}
