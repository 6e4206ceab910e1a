/** Secrets that options name: from files, or asked for on the terminal. Never on the command line. */
import type { KeySecret } from '../../backup-format/key-slot.ts'
import { parseRecoveryKey } from '../../backup-format/recovery-key.ts'
import { CliError, EXIT } from '../../cli/exit-codes.ts'
import type { Config } from '../../config/config.ts'
import { loadBackupKey, readBackupKey, readSecret } from '../../config/secrets.ts'
import { checkPassphrase, configuredSecrets } from '../keyring.ts'
import { ask } from './ask.ts'

export interface UnlockFlags {
  readonly unlockKeyFile?: string
  readonly unlockPassphrase?: string | true
  readonly unlockRecoveryKey?: string | true
}

export interface NewFlags {
  readonly keyFile?: string
  readonly passphrase?: string | true
}

/** What was given, else what is configured. */
export async function unlockSecrets(config: Config, flags: UnlockFlags): Promise<KeySecret[]> {
  const secrets: KeySecret[] = []
  if (flags.unlockKeyFile !== undefined) secrets.push(await existingKeyFile(flags.unlockKeyFile))
  if (flags.unlockPassphrase !== undefined)
    secrets.push(await passphrase(flags.unlockPassphrase, 'Passphrase: '))
  if (flags.unlockRecoveryKey !== undefined) secrets.push(await recoveryKey(flags.unlockRecoveryKey))
  return secrets.length > 0 ? secrets : configuredSecrets(config)
}

/** What is to open the repository from now on; without an option what the service is configured with, made where it is missing. */
export async function newSecret(config: Config, flags: NewFlags): Promise<KeySecret> {
  if (flags.keyFile !== undefined && flags.passphrase !== undefined) {
    throw new CliError(EXIT.usage, 'usage', 'Expected one of --key-file and --passphrase, got both.')
  }
  if (flags.keyFile !== undefined) return { kind: 'key-file', key: await loadBackupKey(flags.keyFile) }
  if (flags.passphrase === true) return typedTwice()
  const file = flags.passphrase ?? config.backupPassphraseFile
  if (file !== undefined) return passphrase(file, '')
  return { kind: 'key-file', key: await loadBackupKey(config.backupKeyFile) }
}

async function existingKeyFile(file: string): Promise<KeySecret> {
  const key = await readBackupKey(file)
  if (key !== undefined) return { kind: 'key-file', key }
  throw new CliError(EXIT.notFound, 'not-found', `Expected the key file ${file}, there is none.`)
}

async function passphrase(from: string | true, question: string): Promise<KeySecret> {
  const text = from === true ? await ask(question, { hidden: true }) : await readSecret(from)
  return { kind: 'passphrase', passphrase: checkPassphrase(text) }
}

async function typedTwice(): Promise<KeySecret> {
  const text = checkPassphrase(await ask('New passphrase: ', { hidden: true }))
  if ((await ask('Again: ', { hidden: true })) === text) return { kind: 'passphrase', passphrase: text }
  throw new CliError(EXIT.usage, 'usage', 'Expected the same passphrase twice. Nothing was changed.')
}

async function recoveryKey(from: string | true): Promise<KeySecret> {
  const text = from === true ? await ask('Recovery key: ', { hidden: false }) : await readSecret(from)
  return { kind: 'recovery-key', key: parseRecoveryKey(text) }
}
