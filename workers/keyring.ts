/** What this installation opens the repositories of its targets with. */
import type { KeySecret } from '../backup-format/key-slot.ts'
import { createKeyring, type Keyring } from '../backup-format/unlock.ts'
import type { Config } from '../config/config.ts'
import { loadBackupKey, readBackupKey, readSecret } from '../config/secrets.ts'
import { LIMITS } from '../domain/limits.ts'

type KeyFiles = Pick<Config, 'backupKeyFile' | 'backupPassphraseFile'>

/** Makes the key file where there is none and no passphrase is configured. Throws when what is configured cannot be read. */
export async function configuredKeyring(config: KeyFiles): Promise<Keyring> {
  if (config.backupPassphraseFile === undefined) await loadBackupKey(config.backupKeyFile)
  await configuredSecrets(config)
  return lookingKeyring(config)
}

/** Makes nothing: for commands that look. */
export function lookingKeyring(config: KeyFiles): Keyring {
  return createKeyring(() => configuredSecrets(config))
}

/** The passphrase first, where there is one: it is what a new repository is to be opened with. */
export async function configuredSecrets({
  backupKeyFile,
  backupPassphraseFile,
}: KeyFiles): Promise<KeySecret[]> {
  const key = await readBackupKey(backupKeyFile)
  return [
    ...(backupPassphraseFile === undefined
      ? []
      : [
          {
            kind: 'passphrase' as const,
            passphrase: checkPassphrase(await readSecret(backupPassphraseFile)),
          },
        ]),
    ...(key === undefined ? [] : [{ kind: 'key-file' as const, key }]),
  ]
}

export function checkPassphrase(passphrase: string): string {
  const { passphraseLengthMin: min, passphraseLengthMax: max } = LIMITS
  if (passphrase.length >= min && passphrase.length <= max) return passphrase
  throw new Error(`Expected a passphrase of ${min} to ${max} characters, got ${passphrase.length}.`)
}
