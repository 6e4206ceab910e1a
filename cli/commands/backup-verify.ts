import { type Command, Option } from 'commander'
import type { Operation, VerifyBackupInput } from '../../sdk/types.ts'
import { Concluded, EXIT } from '../exit-codes.ts'
import { conclude } from '../follow.ts'
import { parsePercent } from '../options.ts'
import { say } from '../output.ts'
import { resolve } from '../resolve.ts'
import { sessionOf } from '../session.ts'

interface VerifyOptions {
  readonly level?: NonNullable<VerifyBackupInput['level']>
  readonly sample?: number
  readonly backend?: string
  readonly healFrom?: string
}

export function verifyCommand(backup: Command): void {
  backup
    .command('verify')
    .description('look whether a backup could be restored; exit code 1 when something is damaged')
    .argument('<backup>', 'id or name')
    .addOption(
      new Option('--level <level>', 'how closely; default content').choices([
        'presence',
        'content',
        'restore',
        'quarantined',
      ]),
    )
    .addOption(
      new Option('--sample <percent>', 'only so many of its chunks, others each time').argParser(
        parsePercent,
      ),
    )
    .option('--backend <name>', 'with --level restore: where to restore it')
    .option('--heal-from <backup>', 'heal what is damaged with this copy of it in another target')
    .action(
      async (idOrName: string, { level, sample, backend, healFrom }: VerifyOptions, command: Command) => {
        const session = sessionOf(command)
        const id = await resolve(session, 'backup', idOrName)
        const input = {
          ...(level === undefined ? {} : { level }),
          ...(sample === undefined ? {} : { samplePercent: sample }),
          ...(backend === undefined ? {} : { backend }),
          ...(healFrom === undefined ? {} : { healFromBackupId: await resolve(session, 'backup', healFrom) }),
        }
        const answer = await session.client.verifyBackup(id, input, session.request)
        const { operation } = answer
        await conclude(session, {
          noun: 'backup',
          operation,
          answer,
          show: () => session.client.showBackup(id),
        })
        if (session.wait) reportFindings(await session.client.showOperation(operation.id))
      },
    )
}

export function copyCommand(backup: Command): void {
  backup
    .command('copy')
    .description('copy a backup to another target; of a volume that has one there, only what differs')
    .argument('<backup>', 'id or name')
    .requiredOption('--target <name>', 'where to')
    .option('--name <name>', 'left out: as the original')
    .action(async (idOrName: string, options: { target: string; name?: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'backup', idOrName)
      const { target, name } = options
      const copy = { target, ...(name === undefined ? {} : { name }) }
      const answer = await session.client.copyBackup(id, copy, session.request)
      const { operation } = answer
      const show = () => session.client.showBackup(operation.resourceId)
      await conclude(session, { noun: 'backup', operation, answer, show })
    })
}

function reportFindings({ result }: Operation): void {
  const damaged = Number(result?.damagedObjects ?? 0)
  say(`${Number(result?.checkedChunks ?? 0)} chunks looked at, ${damaged} objects damaged or missing`)
  if (typeof result?.damage === 'string') say(result.damage)
  if (damaged > 0) throw new Concluded(EXIT.failed)
}
