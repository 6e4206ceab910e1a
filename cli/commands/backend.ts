import type { Command } from 'commander'
import type { ControlChange } from '../../sdk/filters.ts'
import { printResult, printTable } from '../output.ts'
import { sessionOf } from '../session.ts'
import { limitText, parseRate } from './operation-controls.ts'

export function backendCommands(program: Command): void {
  const backend = program.command('backend').description('places for volumes')
  backend
    .command('list')
    .description('list them, with what holds their operations up')
    .action(async (_options, command: Command) => {
      const session = sessionOf(command)
      const { items } = await session.client.listBackends()
      const rows = items.map(({ name, paused, rateLimitBytes }) => ({
        NAME: name,
        PAUSED: paused ? 'yes' : 'no',
        LIMIT: limitText(rateLimitBytes) ?? 'none',
      }))
      printTable(session, { items, next: null }, ['NAME', 'PAUSED', 'LIMIT'], rows)
    })
  const change = (name: string, about: string, how: ControlChange, done: string) =>
    backend
      .command(name)
      .description(about)
      .argument('<backend>', 'its name in the configuration')
      .action((place: string, _options, command: Command) => changeOne(command, place, how, done))
  change('pause', 'stop all operations on it at their last checkpoints', { paused: true }, 'is paused')
  change('resume', 'go on after a pause', { paused: false }, 'goes on')
  backend
    .command('limit')
    .description('limit the rate that all operations on it share, also while they run')
    .argument('<backend>', 'its name in the configuration')
    .argument('<rate>', 'a second, such as 200M; or none', parseRate)
    .action((place: string, rateLimitBytes: number | null, _options, command: Command) =>
      changeOne(command, place, { rateLimitBytes }, `has a limit of ${limitText(rateLimitBytes) ?? 'none'}`),
    )
}

export function projectCommands(program: Command): void {
  const project = program.command('project').description('everything that is yours')
  for (const [name, paused] of [
    ['pause', true],
    ['resume', false],
  ] as const) {
    project
      .command(name)
      .description(paused ? 'stop all its operations at their last checkpoints' : 'go on after a pause')
      .action(async (_options, command: Command) => {
        const session = sessionOf(command)
        const answer = await session.client.changeProject({ paused })
        printResult(session, answer, () => `Project ${answer.id} ${paused ? 'is paused' : 'goes on'}`)
      })
  }
}

async function changeOne(command: Command, name: string, change: ControlChange, done: string): Promise<void> {
  const session = sessionOf(command)
  const answer = await session.client.changeBackend(name, change)
  printResult(session, answer, () => `Backend ${name} ${done}`)
}
