/**
 * `volflow target keys …`. They work on the configuration of a data folder, not over HTTP: a recovery key must not travel through an API
 * or a workflow, and they are needed most when the database is lost and nothing runs.
 */
import type { Command } from 'commander'

/** Loaded when a command runs: the others start in a fraction of the time. */
const actions = () => import('./key-actions.ts')

export function keyCommands(target: Command, defaultData: string): void {
  const keys = target
    .command('keys')
    .description('what opens the repository of a target (docs/backup-keys.md)')
  const subcommand = (name: string, description: string) =>
    keys
      .command(name)
      .description(description)
      .option('--data <folder>', 'data folder, with volflow.yaml if there is one', defaultData)
  const ofTarget = (name: string, description: string) =>
    unlockable(subcommand(name, description).argument('<target>', 'its name in the configuration'))

  ofTarget('list', 'show the key slots').action(async (name: string, _flags, command: Command) =>
    (await actions()).list(name, command.optsWithGlobals()),
  )
  ofTarget('add', 'let another key open it: the configured one, unless an option names one')
    .option('--key-file <file>', 'this key file, made where there is none')
    .option('--passphrase [file]', 'a passphrase: from a file, or asked for')
    .option('--label <text>', 'what people shall know of it')
    .action(async (name: string, _flags, command: Command) =>
      (await actions()).add(name, command.optsWithGlobals()),
    )
  ofTarget('remove', 'remove a key slot; never the last one')
    .argument('<slot>', 'its id, as shown by list')
    .action(async (name: string, slot: string, _flags, command: Command) =>
      (await actions()).remove(name, slot, command.optsWithGlobals()),
    )
  ofTarget('recovery-key', 'make a recovery key, show it once, and have it read back')
    .option('--file <file>', 'write it to this new file instead')
    .option('--replace', 'remove the recovery keys that were made before')
    .action(async (name: string, _flags, command: Command) =>
      (await actions()).recoveryKey(name, command.optsWithGlobals()),
    )
  subcommand('rotate', 'put a new key in the place of the key file, for all targets; may be repeated').action(
    async (_flags, command: Command) => (await actions()).rotate(command.optsWithGlobals()),
  )
}

function unlockable(command: Command): Command {
  return command
    .option('--unlock-key-file <file>', 'open it with this key file instead of the configured key')
    .option('--unlock-passphrase [file]', '… with a passphrase: from a file, or asked for')
    .option('--unlock-recovery-key [file]', '… with the recovery key: from a file, or asked for')
}
