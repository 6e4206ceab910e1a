import { type Command, InvalidArgumentError } from 'commander'
import { Concluded, EXIT } from '../cli/exit-codes.ts'
import { Progress } from '../cli/progress/progress.ts'
import { loadConfig } from '../config/load.ts'
import type { CheckResult } from './doctor/check.ts'
import { keyCommands } from './keys/key-commands.ts'

interface FsckFlags {
  readonly data: string
  readonly repair?: boolean
  readonly deleteOrphans?: boolean
  readonly deep?: boolean
  readonly minAge?: number
  readonly json?: boolean
}

/** The commands with which an operator looks at an installation. They work on the data folder's configuration, not over HTTP. */
export function inspectionCommands(program: Command, defaultData: string): void {
  program
    .command('fsck')
    .description(
      'compare database, backends, stores, targets and Temporal; --json prints a line for each finding',
    )
    .option('--data <folder>', 'data folder, with volflow.yaml if there is one', defaultData)
    .option('--repair', 'mend what cannot lose data')
    .option('--delete-orphans', 'also clear away bytes that have belonged to nobody for a day')
    .option('--deep', 'also look for every chunk of every backup')
    .option('--min-age <seconds>', 'leave alone what is younger (30; orphans: 86400)', parseSeconds)
    .action(async (_options, command: Command) => runFsck(command.optsWithGlobals()))
  program
    .command('doctor')
    .description('try out what volflow relies on; --json prints a line for each check')
    .option('--data <folder>', 'data folder, with volflow.yaml if there is one', defaultData)
    .action(async (_options, command: Command) => runDoctor(command.optsWithGlobals()))
  const target = program.commands.find((command) => command.name() === 'target')
  if (target !== undefined) keyCommands(target, defaultData)
}

async function runDoctor({ data, json = false }: { data: string; json?: boolean }): Promise<void> {
  const { doctor } = await import('./doctor/doctor.ts')
  const { printDoctor } = await import('./doctor/print.ts')
  const results: CheckResult[] = []
  for await (const result of doctor(await loadConfig(data))) {
    results.push(result)
    if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
  }
  if (!json) printDoctor(results)
  if (results.some(({ state }) => state === 'fail')) throw new Concluded(EXIT.failed)
}

async function runFsck({ data, json = false, minAge, ...flags }: FsckFlags): Promise<void> {
  const { fsck } = await import('./fsck/fsck.ts')
  const { printFsck } = await import('./fsck/print.ts')
  const bar = process.stderr.isTTY ? new Progress(process.stderr) : undefined
  const result = await fsck(await loadConfig(data), {
    repair: flags.repair ?? false,
    deleteOrphans: flags.deleteOrphans ?? false,
    deep: flags.deep ?? false,
    ...(minAge === undefined ? {} : { minAgeMs: minAge * 1000 }),
    progress: (phase, count) =>
      bar?.update({ kind: 'fsck', phase, doneBytes: 0, totalBytes: 0, note: `${count} looked at` }),
  }).finally(() => bar?.end())
  printFsck(result, json)
  if (result.findings.length > 0) throw new Concluded(EXIT.failed)
}

function parseSeconds(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number of seconds.')
}
