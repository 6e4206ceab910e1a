import type { Command } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { ResourceFilter } from '../../sdk/filters.ts'
import type { Snapshot } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { type Describable, describable, describedBy, pageable } from '../options.ts'
import { printFields, printTable } from '../output.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'
import { commonFields, type Row } from '../table.ts'

export function snapshotCommands(program: Command): void {
  const snapshot = program.command('snapshot').description('volumes as they were at a moment')
  describable(snapshot.command('create'))
    .description('take a snapshot of a volume')
    .argument('<volume>', 'id or name')
    .action(async (volume: string, options: Describable, command: Command) => {
      const session = sessionOf(command)
      const { client, request } = session
      const volumeId = await resolve(session, 'volume', volume)
      const answer = await client.createSnapshot({ volumeId, ...describedBy(options) }, request)
      const { operation } = answer
      const show = () => client.showSnapshot(operation.resourceId)
      await conclude(session, { noun: 'snapshot', operation, answer, show })
    })
  pageable(snapshot.command('list'))
    .description('list snapshots, newest first')
    .option('--name <name>')
    .option('--status <status>')
    .action(async (filter: ResourceFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.listSnapshots(filter)
      printTable(session, page, ['ID', 'NAME', 'STATUS', 'SIZE', 'VOLUME', 'CREATED'], page.items.map(row))
    })
  snapshot
    .command('show')
    .description('show one snapshot')
    .argument('<snapshot>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const shown = await session.client.showSnapshot(await resolve(session, 'snapshot', idOrName))
      printFields(session, shown, fields(shown))
    })
  snapshot
    .command('delete')
    .description('delete a snapshot')
    .argument('<snapshot>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'snapshot', idOrName)
      const answer = await session.client.deleteSnapshot(id, session.request)
      await conclude(session, { noun: 'snapshot', operation: answer.operation, answer })
    })
}

function row({ id, name, status, sizeBytes, volumeId, createdAt }: Snapshot): Row {
  return {
    ID: id,
    NAME: name,
    STATUS: status,
    SIZE: formatBytes(sizeBytes),
    VOLUME: volumeId,
    CREATED: createdAt,
  }
}

function fields(snapshot: Snapshot): Row {
  const { sizeBytes, volumeId, backend } = snapshot
  return {
    ...commonFields(snapshot),
    volume: volumeId,
    size: `${formatBytes(sizeBytes)} (${sizeBytes} bytes)`,
    backend,
  }
}
