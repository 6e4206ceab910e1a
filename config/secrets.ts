import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'

const KEY_BYTES = 32

const BACKUP_KEY_LOST = 'or use the recovery key: volflow target keys add --help'
const WEBHOOK_KEY_LOST =
  'or remove it and give each webhook a new secret: volflow webhook rotate-secret --help'

/** Opens the repositories of all targets; made when there is none. */
export async function loadBackupKey(file: string): Promise<Uint8Array> {
  return (await readBackupKey(file)) ?? (await makeBackupKey(file))
}

/** Undefined: there is no such file. */
export function readBackupKey(file: string): Promise<Uint8Array | undefined> {
  return readKey(file, BACKUP_KEY_LOST)
}

function makeBackupKey(file: string): Promise<Uint8Array> {
  return makeKey(file, BACKUP_KEY_LOST)
}

/** From which the secrets of webhooks are derived; made when there is none. */
export async function loadWebhookKey(file: string): Promise<Uint8Array> {
  return (await readKey(file, WEBHOOK_KEY_LOST)) ?? (await makeKey(file, WEBHOOK_KEY_LOST))
}

async function readKey(file: string, elseDo: string): Promise<Uint8Array | undefined> {
  const text = (await readIfThere(file))?.trim()
  if (text === undefined) return undefined
  if (new RegExp(`^[0-9a-fA-F]{${KEY_BYTES * 2}}$`).test(text))
    return new Uint8Array(Buffer.from(text, 'hex'))
  throw new Error(
    `Expected ${file} to hold ${KEY_BYTES * 2} hex digits. Put it back from your copy, ${elseDo}`,
  )
}

/** Where there is none; of several who make it at once, all get the first one's. */
async function makeKey(file: string, elseDo: string): Promise<Uint8Array> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${randomBytes(KEY_BYTES).toString('hex')}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  // Whoever comes second keeps the first one's key.
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(draft)
  const key = await readKey(file, elseDo)
  if (key !== undefined) return key
  throw new Error(`Expected ${file} to be there after it was made, somebody removed it.`)
}

const credentials = z.strictObject({ accessKeyId: z.string().min(1), secretAccessKey: z.string().min(1) })

export async function loadCredentials(file: string): Promise<z.infer<typeof credentials>> {
  const parsed = credentials.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (parsed.success) return parsed.data
  throw new Error(`Expected ${file} to be a JSON object with accessKeyId and secretAccessKey.`)
}

/** A password or key in a file of its own; a line end after it is not part of it. Throws when there is nothing. */
export async function readSecret(file: string): Promise<string> {
  const text = (await readFile(file, 'utf8')).trimEnd()
  if (text !== '') return text
  throw new Error(`Expected ${file} to hold a secret, it is empty.`)
}

async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}
