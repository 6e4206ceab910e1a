import { open } from 'node:fs/promises'
import { addSlot, listSlots, removeSlot, type Unlocked } from '../../backup-format/key-slots.ts'
import { formatRecoveryKey, newRecoveryKey, parseRecoveryKey } from '../../backup-format/recovery-key.ts'
import { sameBytes } from '../../backup-format/keys.ts'
import { CliError, EXIT } from '../../cli/exit-codes.ts'
import { readSecret } from '../../config/secrets.ts'
import { ask } from './ask.ts'

/** How often a wrong answer is asked again. */
const TRIES = 5

export interface RecoveryFlags {
  /** Where to write it instead of showing it. */
  readonly file?: string
  /** Removes the ones that were made before. */
  readonly replace?: boolean
}

/** Shows a new recovery key once, and adds its slot only after it was read back. Never the same one twice. */
export async function makeRecoveryKey(
  unlocked: Unlocked,
  { file, replace = false }: RecoveryFlags,
): Promise<{ slot: string; removedSlots: string[] }> {
  const { target, description } = unlocked
  const earlier = (await listSlots(target, description.repoId)).filter(
    ({ parsed }) => parsed?.slot.kind === 'recovery-key',
  )
  if (earlier.length > 0 && !replace) {
    throw new CliError(
      EXIT.conflict,
      'exists',
      `There is a recovery key already (slot ${earlier.map(({ id }) => id).join(', ')}). --replace makes another and removes it.`,
    )
  }
  const key = newRecoveryKey()
  if (file === undefined) await showAndAsk(key)
  else await writeAndRead(file, key)
  const { id } = await addSlot(unlocked, { kind: 'recovery-key', key })
  for (const slot of earlier) await removeSlot(unlocked, slot.id)
  return { slot: id, removedSlots: earlier.map((slot) => slot.id) }
}

async function showAndAsk(key: Uint8Array): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError(
      EXIT.usage,
      'no-terminal',
      'Expected a terminal to show the recovery key on; --file writes it to a file.',
    )
  }
  process.stderr.write(
    `\n    ${formatRecoveryKey(key)}\n\nWrite it down or print it: it is not shown again. Whoever has it can read all backups here.\n`,
  )
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const typed = await ask('Type it from what you have written: ', { hidden: false })
    const problem = problemOf(typed, key)
    if (problem === undefined) return
    process.stderr.write(`${problem}\n`)
  }
  throw new CliError(
    EXIT.usage,
    'not-read-back',
    'The recovery key was not read back. It is not valid; nothing was changed.',
  )
}

async function writeAndRead(file: string, key: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    throw new CliError(EXIT.conflict, 'exists', `Expected ${file} to be a new file, it is there already.`)
  })
  try {
    await handle.writeFile(`${formatRecoveryKey(key)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  const problem = problemOf(await readSecret(file), key)
  if (problem !== undefined)
    throw new CliError(EXIT.failed, 'not-read-back', `${problem} in ${file}. Nothing was changed.`)
}

function problemOf(text: string, key: Uint8Array): string | undefined {
  try {
    return sameBytes(parseRecoveryKey(text), key) ? undefined : 'This is another recovery key'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
