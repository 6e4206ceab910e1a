import type { Command } from 'commander'
import { conclude } from '../follow.ts'
import { printResult } from '../output.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'

/** Strings of Cinder's own commands. */
export function cinderBackupCommands(backup: Command): void {
  backup
    .command('export-record')
    .description("print what Cinder's backup import takes: the service and the record")
    .argument('<backup>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'backup', idOrName)
      const record = await session.client.cinder.exportRecord(id, session.request)
      printResult(session, record, () => `${record.backupService}\n${record.backupUrl}`)
    })
  backup
    .command('import-record')
    .description("learn of one backup in a target from the two strings of Cinder's backup export")
    .argument('<service>')
    .argument('<record>')
    .requiredOption('--target <name>', 'where its objects are')
    .action(
      async (backupService: string, backupUrl: string, options: { target: string }, command: Command) => {
        const session = sessionOf(command)
        const record = { backupService, backupUrl }
        const answer = await session.client.cinder.scanTarget(options.target, { record }, session.request)
        await conclude(session, { noun: 'target', operation: answer.operation, answer })
      },
    )
}
