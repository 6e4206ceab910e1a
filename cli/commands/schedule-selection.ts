import type { Command } from 'commander'
import type { CreateScheduleInput } from '../../sdk/types.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { pairsOption } from '../options.ts'
import { resolve } from '../resolve.ts'
import type { Session } from '../session.ts'

export type VolumeSelection = CreateScheduleInput['volumes']

export interface SelectionOptions {
  readonly withMetadata?: Record<string, string>
  readonly withType?: string
  readonly allVolumes?: boolean
}

export function selectionOptions(command: Command): Command {
  return command
    .addOption(pairsOption('--with-metadata <key=value...>', 'volumes that have all of these entries then'))
    .option('--with-type <type>', 'volumes that have this type then')
    .option('--all-volumes', 'all volumes of the project that exist then')
}

/** Undefined: nothing was said. Throws CliError when more than one way was chosen. */
export async function selectionOf(
  session: Session,
  volumes: readonly string[],
  { withMetadata: metadata, withType: volumeType, allVolumes }: SelectionOptions,
): Promise<VolumeSelection | undefined> {
  const ways: VolumeSelection[] = []
  if (volumes.length > 0)
    ways.push({ ids: await Promise.all(volumes.map((volume) => resolve(session, 'volume', volume))) })
  if (metadata !== undefined) ways.push({ metadata })
  if (volumeType !== undefined) ways.push({ volumeType })
  if (allVolumes === true) ways.push({ all: true })
  if (ways.length < 2) return ways[0]
  const message = 'Expected volumes, --with-metadata, --with-type or --all-volumes, got several of these.'
  throw new CliError(EXIT.usage, 'manySelections', message)
}

export function describeVolumes(selection: VolumeSelection): string {
  if ('all' in selection) return 'all'
  if ('volumeType' in selection) return `type ${selection.volumeType}`
  if ('metadata' in selection)
    return Object.entries(selection.metadata)
      .map(([key, value]) => `${key}=${value}`)
      .join(' ')
  return selection.ids.join(' ')
}
