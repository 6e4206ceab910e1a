import type { Command } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { CollectTargetInput, Operation } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { sessionOf } from '../session.ts'

export function targetCommands(program: Command): void {
  const target = program.command('target').description('places for backups')
  target
    .command('scan')
    .description("find the backups in a target in Cinder's format")
    .argument('<target>', 'its name in the configuration')
    .action(async (name: string, _options, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.cinder.scanTarget(name, {}, session.request)
      await conclude(session, { noun: 'target', operation: answer.operation, answer })
    })
  target
    .command('collect')
    .description('remove from a target what no backup needs any more')
    .argument('<target>', 'its name in the configuration')
    .option('--dry-run', 'delete nothing, only say what would be deleted')
    .option('--force', 'even if it is a suspiciously large share of everything in the target')
    .action(async (name: string, options: CollectTargetInput, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.collectTarget(name, options, session.request)
      await conclude(session, { noun: 'target', operation: answer.operation, answer, detail: detailOf })
    })
  target
    .command('import')
    .description('enter backups that a target has, of every project, and the database does not know')
    .argument('<target>', 'its name in the configuration')
    .action(async (name: string, _options, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.importTarget(name, session.request)
      await conclude(session, { noun: 'target', operation: answer.operation, answer })
    })
}

function detailOf({ state, result }: Operation): string | undefined {
  if (state !== 'succeeded' || result === null) return undefined
  const count = (what: string) => Number(result[`${what}Objects`] ?? 0)
  const amount = (what: string) =>
    `${count(what)} objects (${formatBytes(Number(result[`${what}Bytes`] ?? 0))})`
  if (result['dryRun'] === true) {
    const found = `would delete ${amount('unneeded')} of ${amount('found')}`
    return result['exceedsBudget'] === true ? `${found}: so many that it takes --force` : found
  }
  const parts = [`deleted ${amount('deleted')}`]
  if (count('rescued') > 0) parts.push(`${count('rescued')} were needed by new backups`)
  if (count('locked') > 0)
    parts.push(`the target's lock still keeps ${amount('locked')} for a later collection`)
  return parts.join('; ')
}
