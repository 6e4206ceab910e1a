import { type Command, Option } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { ResourceFilter } from '../../sdk/filters.ts'
import type { Backup, CreateBackupInput } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { type Describable, describable, describedBy, pageable, sizeOption } from '../options.ts'
import { printFields, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import { commonFields, type Row } from '../table.ts'
import { copyCommand, verifyCommand } from './backup-verify.ts'
import { cinderBackupCommands } from './cinder-backup.ts'
import { concludeVolume } from './volume-copies.ts'
import { createVolume } from './volume.ts'

/** What only a new volume can be given. */
const NEW_VOLUME = ['name', 'description', 'metadata', 'size', 'backend']

interface CreateOptions extends Describable {
  readonly snapshot?: string
  readonly target?: string
  readonly incremental?: boolean
}

interface RestoreOptions extends Describable {
  readonly size?: number
  readonly backend?: string
  readonly volume?: string
}

export function backupCommands(program: Command): void {
  const backup = program.command('backup').description('copies of volumes in a target')
  describable(backup.command('create'))
    .description('back up a volume')
    .argument('<volume>', 'id or name')
    .option('--snapshot <snapshot>', 'back up this snapshot of it instead of its state now')
    .option('--incremental', 'store only what the newest backup in the same target does not have')
    .option('--target <name>', 'where to keep it')
    .action(async (volume: string, options: CreateOptions, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.createBackup(
        await backupInput(session, volume, options),
        session.request,
      )
      const { operation } = answer
      const show = () => session.client.showBackup(operation.resourceId)
      await conclude(session, { noun: 'backup', operation, answer, show })
    })
  describable(backup.command('restore'))
    .description('restore a backup into a new volume, or, with --volume, into one that exists')
    .argument('<backup>', 'id or name')
    .addOption(sizeOption('larger than the backup; left out: as large'))
    .option('--backend <name>', 'where to keep the volume')
    .addOption(
      new Option('--volume <volume>', 'restore into this one; what it had is gone').conflicts(NEW_VOLUME),
    )
    .action(async (idOrName: string, options: RestoreOptions, command: Command) => {
      const session = sessionOf(command)
      const { size, backend, volume } = options
      const backupId = await resolve(session, 'backup', idOrName)
      if (volume !== undefined) {
        const volumeId = await resolve(session, 'volume', volume)
        return concludeVolume(
          session,
          await session.client.restoreBackup(backupId, { volumeId }, session.request),
        )
      }
      await createVolume(session, {
        ...describedBy(options),
        backupId,
        ...(size === undefined ? {} : { sizeBytes: size }),
        ...(backend === undefined ? {} : { backend }),
      })
    })
  readCommands(backup)
  verifyCommand(backup)
  copyCommand(backup)
  cinderBackupCommands(backup)
}

function readCommands(backup: Command): void {
  pageable(backup.command('list'))
    .description('list backups, newest first')
    .option('--name <name>')
    .option('--status <status>')
    .action(async (filter: ResourceFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.listBackups(filter)
      const columns = ['ID', 'NAME', 'STATUS', 'KIND', 'SIZE', 'STORED', 'TARGET', 'VOLUME', 'CREATED']
      printTable(session, page, columns, page.items.map(row))
    })
  backup
    .command('show')
    .description('show one backup')
    .argument('<backup>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const shown = await session.client.showBackup(await resolve(session, 'backup', idOrName))
      printFields(session, shown, fields(shown))
    })
  backup
    .command('delete')
    .description('delete a backup')
    .argument('<backup>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'backup', idOrName)
      const answer = await session.client.deleteBackup(id, session.request)
      await conclude(session, { noun: 'backup', operation: answer.operation, answer })
    })
}

async function backupInput(
  session: Session,
  volume: string,
  options: CreateOptions,
): Promise<CreateBackupInput> {
  const { snapshot, target, incremental } = options
  return {
    ...describedBy(options),
    volumeId: await resolve(session, 'volume', volume),
    ...(snapshot === undefined ? {} : { snapshotId: await resolve(session, 'snapshot', snapshot) }),
    ...(target === undefined ? {} : { target }),
    ...(incremental === undefined ? {} : { incremental }),
  }
}

function row(backup: Backup): Row {
  const { id, name, status, sizeBytes, storedBytes, target, volumeId, createdAt } = backup
  return {
    ID: id,
    NAME: name,
    STATUS: status,
    KIND: kindOf(backup),
    SIZE: formatBytes(sizeBytes),
    STORED: formatBytes(storedBytes),
    TARGET: target,
    VOLUME: volumeId,
    CREATED: createdAt,
  }
}

function fields(backup: Backup): Row {
  const { sizeBytes, storedBytes, objectCount, target, volumeId, snapshotId, parentId } = backup
  return {
    ...commonFields(backup),
    kind: kindOf(backup),
    volume: volumeId,
    snapshot: snapshotId,
    parent: parentId,
    target,
    size: `${formatBytes(sizeBytes)} (${sizeBytes} bytes)`,
    stored: `${formatBytes(storedBytes)} in ${objectCount} objects`,
    'data of': backup.dataTimestamp,
    'copy of': backup.sourceBackupId,
    verified: backup.verifiedAt === null ? 'never' : `${backup.verifiedAt} (${backup.verifyLevel})`,
    'damaged objects': backup.damagedObjects,
    'failed because': backup.failReason,
  }
}

function kindOf({ incremental }: Backup): string {
  return incremental ? 'incremental' : 'full'
}
