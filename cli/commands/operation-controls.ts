import type { Command } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { ControlChange } from '../../sdk/filters.ts'
import { printResult } from '../output.ts'
import { sessionOf } from '../session.ts'
import { parseSize } from '../size.ts'

/** Pause, resume, limit, retry and abandon, of one operation. */
export function controlCommands(operation: Command): void {
  const change = (name: string, about: string, how: ControlChange, done: string) =>
    operation
      .command(name)
      .description(about)
      .argument('<operation>', 'id')
      .action((id: string, _options, command: Command) => changeOne(command, id, how, done))
  change('pause', 'stop at the last checkpoint, until resumed', { paused: true }, 'is being paused')
  change('resume', 'go on after a pause', { paused: false }, 'goes on')
  operation
    .command('limit')
    .description('limit the rate, also while it runs')
    .argument('<operation>', 'id')
    .argument('<rate>', 'a second, such as 50M; or none', parseRate)
    .action((id: string, rateLimitBytes: number | null, _options, command: Command) =>
      changeOne(command, id, { rateLimitBytes }, `has a limit of ${limitText(rateLimitBytes) ?? 'none'}`),
    )
  operation
    .command('retry')
    .description('try now what failed and would be tried again later')
    .argument('<operation>', 'id')
    .action(async (id: string, _options, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.retryOperation(id)
      printResult(session, answer, () => `Operation ${id} is being tried again`)
    })
  operation
    .command('abandon')
    .description('end it now, whatever it waits for; what it made is removed when its place answers')
    .argument('<operation>', 'id')
    .action(async (id: string, _options, command: Command) => {
      const session = sessionOf(command)
      const answer = await session.client.abandonOperation(id)
      printResult(session, answer, () => `Operation ${id} is being abandoned`)
    })
}

async function changeOne(command: Command, id: string, change: ControlChange, done: string): Promise<void> {
  const session = sessionOf(command)
  const operation = await session.client.changeOperation(id, change)
  printResult(session, operation, () => `Operation ${id} ${done}`)
}

/** `50M` -> bytes a second; `none` -> null. Throws CliError. */
export function parseRate(text: string): number | null {
  return text === 'none' ? null : parseSize(text)
}

export function limitText(rateLimitBytes: number | null): string | null {
  return rateLimitBytes === null ? null : `${formatBytes(rateLimitBytes)}/s`
}
