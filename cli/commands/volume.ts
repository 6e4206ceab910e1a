import type { Command } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { ResourceFilter } from '../../sdk/filters.ts'
import type { CreateVolumeInput, Volume } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { describable, describedBy, type Describable, pageable, sizeOption } from '../options.ts'
import { printFields, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import { commonFields, type Row } from '../table.ts'
import { attachmentCommands } from './attachments.ts'
import { volumeManagementCommands } from './volume-management.ts'
import { volumeCopyCommands } from './volume-copies.ts'
import { volumeActionCommands } from './volume-actions.ts'

interface CreateOptions extends Describable {
  readonly size?: number
  readonly image?: string
  readonly snapshot?: string
  readonly backup?: string
  readonly source?: string
  readonly flatten?: boolean
  readonly backend?: string
}

export function volumeCommands(program: Command): void {
  const volume = program.command('volume').description('disks')
  describable(volume.command('create'))
    .description('create a volume: blank, or from an image, a snapshot, a backup or a volume')
    .addOption(sizeOption('such as 10G; with a source it may be left out'))
    .option('--image <image>', 'make it from this image')
    .option('--snapshot <snapshot>', 'make it from this snapshot')
    .option('--backup <backup>', 'restore this backup into it')
    .option('--source <volume>', 'clone this volume')
    .option(
      '--flatten',
      'from a snapshot or volume: copy everything, so that the volume shares nothing with it',
    )
    .option('--backend <name>', 'where to keep it')
    .action(async (options: CreateOptions, command: Command) => {
      const session = sessionOf(command)
      await createVolume(session, await volumeInput(session, options))
    })
  pageable(volume.command('list'))
    .description('list volumes, newest first')
    .option('--name <name>')
    .option('--status <status>')
    .action(async (filter: ResourceFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.listVolumes(filter)
      printTable(session, page, ['ID', 'NAME', 'STATUS', 'SIZE', 'CREATED'], page.items.map(row))
    })
  volume
    .command('show')
    .description('show one volume')
    .argument('<volume>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const shown = await session.client.showVolume(await resolve(session, 'volume', idOrName))
      const { items } = await session.client.listAttachments(shown.id)
      const attached = items.map(({ guest, createdAt }) => `${guest ?? 'unknown'} since ${createdAt}`)
      printFields(
        session,
        { ...shown, attachments: items },
        {
          ...fields(shown),
          'attached to guest': attached.join(', '),
        },
      )
    })
  volumeActionCommands(volume)
  attachmentCommands(volume)
  volume
    .command('delete')
    .description('delete a volume')
    .argument('<volume>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'volume', idOrName)
      const answer = await session.client.deleteVolume(id, session.request)
      await conclude(session, { noun: 'volume', operation: answer.operation, answer })
    })
  volumeCopyCommands(volume)
  volumeManagementCommands(volume)
}

/** Also what `backup restore` does. */
export async function createVolume(session: Session, input: CreateVolumeInput): Promise<void> {
  const answer = await session.client.createVolume(input, session.request)
  const { operation } = answer
  await conclude(session, {
    noun: 'volume',
    operation,
    answer,
    show: () => session.client.showVolume(operation.resourceId),
  })
}

async function volumeInput(session: Session, options: CreateOptions): Promise<CreateVolumeInput> {
  const { size, image, snapshot, backup, source, flatten, backend } = options
  return {
    ...describedBy(options),
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(image === undefined ? {} : { imageId: await resolve(session, 'image', image) }),
    ...(snapshot === undefined ? {} : { snapshotId: await resolve(session, 'snapshot', snapshot) }),
    ...(backup === undefined ? {} : { backupId: await resolve(session, 'backup', backup) }),
    ...(source === undefined ? {} : { sourceVolumeId: await resolve(session, 'volume', source) }),
    ...(flatten === undefined ? {} : { flatten }),
    ...(backend === undefined ? {} : { backend }),
  }
}

function row(volume: Volume): Row {
  const { id, name, status, sizeBytes, createdAt } = volume
  return { ID: id, NAME: name, STATUS: status, SIZE: formatBytes(sizeBytes), CREATED: createdAt }
}

function fields(volume: Volume): Row {
  const { sizeBytes, backend, bootable, imageId, snapshotId, backupId, sourceVolumeId } = volume
  return {
    ...commonFields(volume),
    size: `${formatBytes(sizeBytes)} (${sizeBytes} bytes)`,
    bootable,
    backend,
    'from image': imageId,
    'from snapshot': snapshotId,
    'from backup': backupId,
    'from volume': sourceVolumeId,
  }
}
