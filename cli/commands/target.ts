import type { Command } from 'commander'
import { conclude } from '../follow.ts'
import { sessionOf } from '../session.ts'

export function targetCommands(program: Command): void {
  const target = program.command('target').description('places for backups')
  target
    .command('collect')
    .description('remove from a target what no backup needs any more')
    .argument('<target>', 'its name in the configuration')
    .action(async (name: string, _options, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.collectTarget(name, session.request)
      await conclude(session, { noun: 'target', operation: answer.operation, answer })
    })
}
