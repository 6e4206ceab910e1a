import type { Command } from 'commander'
import { loadConfig } from '../../config/load.ts'
import { readSecret } from '../../config/secrets.ts'
import { bootstrapIdentity } from '../../database/identity/bootstrap.ts'
import { openConfiguredDatabase } from '../database-file.ts'
import { generatePassword } from './first-administrator.ts'

interface Options {
  readonly data: string
  readonly username: string
  readonly passwordFile?: string
}

/** `volflow identity bootstrap`: the way in, for the first time or after everybody was locked out. Works on the database, not over HTTP. */
export function identityCommands(program: Command, defaultData: string): void {
  const identity = program.command('identity').description('who may use the installation')
  identity
    .command('bootstrap')
    .description('make the administrator, or give it a new password; a generated one is printed')
    .option('--data <folder>', 'data folder, with volflow.yaml if there is one', defaultData)
    .option('--username <name>', 'of the administrator', 'admin')
    .option('--password-file <file>', 'holds the password and nothing else')
    .action(async (options: Options) => {
      const { data, username: name, passwordFile } = options
      const password = passwordFile === undefined ? generatePassword() : await readSecret(passwordFile)
      const database = await openConfiguredDatabase(await loadConfig(data))
      try {
        await bootstrapIdentity(database, { name, password })
      } finally {
        await database.destroy()
      }
      const told = passwordFile === undefined ? ` Its password, which is not shown again: ${password}` : ''
      process.stdout.write(`${name} is an administrator, in the project admin.${told}\n`)
    })
}
