import type { Command } from 'commander'
import type { Operation } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'

/** Who has a volume open. */
export function attachmentCommands(volume: Command): void {
  volume
    .command('attach')
    .description(
      'give a volume to a guest; prints how its qemu opens it, for -blockdev. Ask again before each start of the guest',
    )
    .argument('<volume>', 'id or name')
    .option(
      '--guest <name>',
      'whose qemu is asked for snapshots, backups and a new size; without one they are refused',
    )
    .action(async (idOrName: string, options: { guest?: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      const answer = await session.client.attachVolume(id, options, session.request)
      const show = () => session.client.showVolume(id)
      const detail = ({ result }: Operation) => String(result?.connection)
      await conclude(session, { noun: 'volume', operation: answer.operation, answer, show, detail })
    })
  volume
    .command('detach')
    .description('take a volume back from a guest that has closed it')
    .argument('<volume>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      const answer = await session.client.detachVolume(id, session.request)
      const show = () => session.client.showVolume(id)
      await conclude(session, { noun: 'volume', operation: answer.operation, answer, show })
    })
}
