import { type Command, Option } from 'commander'
import type { UploadVolumeInput, VolumeAccepted } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'

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
  volume
    .command('reimage')
    .description('give a volume the bytes of an image; what it had is gone')
    .argument('<volume>', 'id or name')
    .argument('<image>', 'id or name')
    .action(async (idOrName: string, image: string, _options, command: Command) => {
      const session = sessionOf(command)
      const imageId = await resolve(session, 'image', image)
      const volumeId = await resolve(session, 'volume', idOrName)
      await concludeVolume(
        session,
        await session.client.reimageVolume(volumeId, { imageId }, session.request),
      )
    })
  volume
    .command('migrate')
    .description('move a volume to another backend')
    .argument('<volume>', 'id or name')
    .requiredOption('--backend <name>', 'where to')
    .action(async (idOrName: string, { backend }: { backend: string }, command: Command) => {
      const session = sessionOf(command)
      const volumeId = await resolve(session, 'volume', idOrName)
      await concludeVolume(
        session,
        await session.client.migrateVolume(volumeId, { backend }, session.request),
      )
    })
}

/** Of an operation that is about an existing volume. */
export async function concludeVolume(session: Session, answer: VolumeAccepted): Promise<void> {
  const { operation } = answer
  const show = () => session.client.showVolume(operation.resourceId)
  await conclude(session, { noun: 'volume', operation, answer, show })
}
