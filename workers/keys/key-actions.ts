/** What the commands of `volflow target keys` do. */
import { addSlot, listSlots, removeSlot, type Unlocked } from '../../backup-format/key-slots.ts'
import type { KeySecret } from '../../backup-format/key-slot.ts'
import { findOpening } from '../../backup-format/unlock.ts'
import { CliError, Concluded, EXIT } from '../../cli/exit-codes.ts'
import { say } from '../../cli/output.ts'
import { formatTable } from '../../cli/table.ts'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import { type NewFlags, newSecret, type UnlockFlags, unlockSecrets } from './given-secrets.ts'
import { listKeys } from './list-keys.ts'
import { makeRecoveryKey, type RecoveryFlags } from './make-recovery-key.ts'
import { withTarget, withUnlocked } from './open-targets.ts'
import { rotateKeyFile } from './rotate-key-file.ts'

interface Flags extends UnlockFlags, NewFlags, RecoveryFlags {
  readonly data: string
  readonly json?: boolean
  readonly label?: string
}

export async function list(name: string, flags: Flags): Promise<void> {
  const config = await loadConfig(flags.data)
  const secrets = await unlockSecrets(config, flags)
  const slots = await withTarget(config, name, (target) => listKeys(target, secrets))
  const rows = (slots ?? []).map(({ id, kind, createdAt, state, opens, label }) => ({
    ...{ ID: id, KIND: kind, CREATED: createdAt, STATE: state, OPENS: opens, LABEL: label },
  }))
  const columns = ['ID', 'KIND', 'CREATED', 'STATE', 'OPENS', 'LABEL']
  report(flags, { slots: slots ?? [] }, formatTable(process.stdout, columns, rows))
  if (slots === undefined) say('There is no repository yet: the first backup makes it, with its keys.')
  else if (!slots.some(({ opens }) => opens)) {
    say(
      'Nothing that was given or is configured opens it. Try --unlock-recovery-key, or put the right key file back.',
    )
    throw new Concluded(EXIT.failed)
  }
}

export async function add(name: string, flags: Flags): Promise<void> {
  await unlocked(name, flags, async (repository, { config }) => {
    const secret = await newSecret(config, flags)
    const known = await findOpening(await slotsOf(repository), secret)
    const slot = known?.id ?? (await addSlot(repository, secret, flags.label)).id
    const text = `The ${secret.kind.replace('-', ' ')} opens target ${name}: slot ${slot}${known ? ', as before' : ''}.`
    report(flags, { slot, isNew: known === undefined }, text)
  })
}

export async function remove(name: string, slot: string, flags: Flags): Promise<void> {
  await unlocked(name, flags, async (repository, { secrets }) => {
    const slots = await slotsOf(repository)
    if (!slots.some(({ id }) => id === slot)) {
      throw new CliError(EXIT.notFound, 'not-found', `Expected a key slot of target ${name}, got ${slot}.`)
    }
    const others = slots.filter(({ id }) => id !== slot)
    const opening = await Promise.all(secrets.map((secret) => findOpening(others, secret)))
    if (opening.every((found) => found === undefined)) {
      throw new CliError(
        EXIT.conflict,
        'not-proved',
        `Expected proof that something else opens target ${name}: what was given opens slot ${slot} alone. Open it with what stays (--unlock-…).`,
      )
    }
    await removeSlot(repository, slot)
    report(flags, { removed: slot }, `Removed slot ${slot} of target ${name}.`)
  })
}

export async function recoveryKey(name: string, flags: Flags): Promise<void> {
  await unlocked(name, flags, async (repository) => {
    const made = await makeRecoveryKey(repository, flags)
    report(flags, made, `The recovery key opens target ${name}: slot ${made.slot}.`)
  })
}

export async function rotate(flags: Flags): Promise<void> {
  const config = await loadConfig(flags.data)
  const targets = await rotateKeyFile(config)
  const lines = targets.map(({ target, removedSlots }) =>
    removedSlots.length === 0
      ? `Target ${target}: the old key did not open it.`
      : `Target ${target}: the old key (slot ${removedSlots.join(', ')}) opens it no more.`,
  )
  report(
    flags,
    { targets },
    [...lines, `${config.backupKeyFile} is a new key. Keep a copy of it elsewhere.`].join('\n'),
  )
}

async function unlocked(
  name: string,
  flags: Flags,
  work: (repository: Unlocked, given: { config: Config; secrets: readonly KeySecret[] }) => Promise<void>,
): Promise<void> {
  const config = await loadConfig(flags.data)
  const secrets = await unlockSecrets(config, flags)
  await withUnlocked(config, name, secrets, (repository) => work(repository, { config, secrets }))
}

function slotsOf({ target, description }: Unlocked) {
  return listSlots(target, description.repoId)
}

function report({ json = false }: Flags, document: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(document) : text}\n`)
}
