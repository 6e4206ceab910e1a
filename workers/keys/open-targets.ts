import type { KeySecret } from '../../backup-format/key-slot.ts'
import type { Unlocked } from '../../backup-format/key-slots.ts'
import { createKeyring, unlock } from '../../backup-format/unlock.ts'
import type { BackupTarget } from '../../backup-format/target.ts'
import { CliError, EXIT } from '../../cli/exit-codes.ts'
import type { Config } from '../../config/config.ts'
import { openTarget } from '../../drivers/backups/registry.ts'
import { openTargetSpec } from '../places.ts'

/** Opens a configured target for as long as the work takes. */
export async function withTarget<T>(
  config: Config,
  name: string,
  work: (target: BackupTarget) => Promise<T>,
): Promise<T> {
  const place = config.targets[name]
  if (place === undefined) {
    const known = Object.keys(config.targets).join(', ')
    throw new CliError(
      EXIT.notFound,
      'not-found',
      `Expected one of the configured targets (${known}), got ${name}.`,
    )
  }
  const target = openTarget(await openTargetSpec(place))
  try {
    return await work(target)
  } finally {
    await target.close()
  }
}

/** The same with a repository that one of the secrets opens. */
export function withUnlocked<T>(
  config: Config,
  name: string,
  secrets: readonly KeySecret[],
  work: (unlocked: Unlocked) => Promise<T>,
): Promise<T> {
  return withTarget(config, name, async (target) => {
    const unlocked = await unlock(
      target,
      createKeyring(async () => secrets),
    )
    if (unlocked !== undefined) return work(unlocked)
    throw new CliError(
      EXIT.notFound,
      'no-repository',
      `Expected a repository in target ${name}, there is none yet: its first backup makes it, with its keys.`,
    )
  })
}
