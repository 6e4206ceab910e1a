import type { Command } from 'commander'
import type { ManageVolumeInput } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'
import { concludeVolume } from './volume-copies.ts'

type ManageOptions = Pick<ManageVolumeInput, 'backend' | 'name' | 'bootable'>

/** Between volflow and whoever else uses a backend. */
export function volumeManagementCommands(volume: Command): void {
  volume
    .command('manage')
    .description('make a volume of what is in a backend already')
    .argument(
      '<source-name>',
      'of an image in the pool, or of a raw file in the folder unmanaged/ of the backend',
    )
    .requiredOption('--backend <name>', 'where it is')
    .option('--name <name>', 'of the volume')
    .option('--bootable', 'an operating system is on it')
    .action(async (sourceName: string, options: ManageOptions, command: Command) => {
      const session = sessionOf(command)
      const { backend, name, bootable } = options
      const volume = {
        ...{ backend, sourceName },
        ...(name === undefined ? {} : { name }),
        ...(bootable === undefined ? {} : { bootable }),
      }
      await concludeVolume(session, await session.client.manageVolume(volume, session.request))
    })
  volume
    .command('unmanage')
    .description('give a volume up and leave its bytes in the backend')
    .argument('<volume>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      const answer = await session.client.unmanageVolume(id, session.request)
      await conclude(session, {
        noun: 'volume',
        operation: answer.operation,
        answer,
        detail: ({ result }) => `Its bytes are ${String(result?.sourceName)} in the backend now.`,
      })
    })
}
