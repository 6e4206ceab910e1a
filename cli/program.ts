import { Command } from 'commander'
import { backendCommands, projectCommands } from './commands/backend.ts'
import { backupCommands } from './commands/backup.ts'
import { eventCommands } from './commands/event.ts'
import { identityCommands } from './commands/identity.ts'
import { imageCommands } from './commands/image.ts'
import { operationCommands } from './commands/operation.ts'
import { scheduleCommands } from './commands/schedule.ts'
import { snapshotCommands } from './commands/snapshot.ts'
import { targetCommands } from './commands/target.ts'
import { volumeCommands } from './commands/volume.ts'
import { webhookCommands } from './commands/webhook.ts'
import { addGlobalOptions } from './session.ts'

/** All commands that work over HTTP; the composition root adds those that run the service. Run it with `runProgram`. */
export function createProgram(): Command {
  const program = new Command('volflow')
    .description('durable storage operations: images, volumes, snapshots and backups')
    .showHelpAfterError('(add --help for what can be given)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
  addGlobalOptions(program)
  imageCommands(program)
  volumeCommands(program)
  snapshotCommands(program)
  backupCommands(program)
  scheduleCommands(program)
  targetCommands(program)
  operationCommands(program)
  backendCommands(program)
  projectCommands(program)
  identityCommands(program)
  eventCommands(program)
  webhookCommands(program)
  program.addHelpText('after', HELP)
  return program
}

const HELP = `
Images, volumes, snapshots, backups, schedules and webhooks are given by id or by name.
Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 API not reachable, 6 cancelled, 130 Ctrl-C.`
