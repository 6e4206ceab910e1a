import { type Command, Option } from 'commander'
import type { UploadVolumeInput } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'

interface UploadOptions {
  readonly diskFormat: UploadVolumeInput['diskFormat']
  readonly name?: string
  readonly store?: string
}

/** What copies between things that exist already. */
export function volumeCopyCommands(volume: Command): void {
  volume
    .command('upload-image')
    .description('make an image of a volume')
    .argument('<volume>', 'id or name')
    .addOption(new Option('--disk-format <format>').choices(['qcow2', 'raw']).makeOptionMandatory())
    .option('--name <name>', 'of the image')
    .option('--store <name>', 'where to keep it')
    .action(async (idOrName: string, options: UploadOptions, command: Command) => {
      const session = sessionOf(command)
      const { diskFormat, name, store } = options
      const upload = {
        diskFormat,
        ...(name === undefined ? {} : { name }),
        ...(store === undefined ? {} : { store }),
      }
      const volumeId = await resolve(session, 'volume', idOrName)
      const answer = await session.client.uploadVolume(volumeId, upload, session.request)
      const { operation } = answer
      const show = () => session.client.showImage(operation.resourceId)
      await conclude(session, { noun: 'image', operation, answer, show })
    })
}
