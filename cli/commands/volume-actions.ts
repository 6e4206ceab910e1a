import type { Command } from 'commander'
import type { VolumeAccepted } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { sizeOption } from '../options.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'

/** What is done with a volume that exists. */
export function volumeActionCommands(volume: Command): void {
  volume
    .command('extend')
    .description('make a volume larger')
    .argument('<volume>', 'id or name')
    .addOption(sizeOption('the new size, such as 20G').makeOptionMandatory())
    .action(async (idOrName: string, { size }: { size: number }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      await end(session, await session.client.extendVolume(id, { sizeBytes: size }, session.request))
    })
  volume
    .command('revert')
    .description('return a volume to its most recent snapshot')
    .argument('<volume>', 'id or name')
    .requiredOption('--snapshot <snapshot>', 'id or name of that snapshot')
    .action(async (idOrName: string, options: { snapshot: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      const snapshotId = await resolve(session, 'snapshot', options.snapshot)
      await end(session, await session.client.revertVolume(id, { snapshotId }, session.request))
    })
  volume
    .command('flatten')
    .description('make a volume independent of what it was cloned from')
    .argument('<volume>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      await end(session, await session.client.flattenVolume(id, session.request))
    })
}

async function end(session: Session, answer: VolumeAccepted): Promise<void> {
  const { operation } = answer
  const show = () => session.client.showVolume(operation.resourceId)
  await conclude(session, { noun: 'volume', operation, answer, show })
}
