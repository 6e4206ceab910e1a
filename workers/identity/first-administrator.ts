import { randomBytes } from 'node:crypto'
import { chmod, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { OWN_CLOUD } from '../../cli/credentials.ts'
import type { Config } from '../../config/config.ts'
import { bootstrapIdentity, isBootstrapped } from '../../database/identity/bootstrap.ts'
import type { Database } from '../../database/open.ts'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'

const NAME = 'admin'

/**
 * An installation without users gets an administrator with a random password, and a clouds.yaml that only its owner can read. Answers what
 * to tell: the password this one time.
 */
export async function makeFirstAdministrator(config: Config, database: Database): Promise<string[]> {
  if (config.identity.authType !== 'own') return []
  const file = join(config.dataFolder, 'clouds.yaml')
  if (await isBootstrapped(database)) {
    await keepAddress(file, authUrl(config))
    return []
  }
  const password = generatePassword()
  // The file first: a password that nobody knows would lock everybody out.
  await writeClouds(file, authUrl(config), password)
  await bootstrapIdentity(database, { name: NAME, password })
  return [
    `The administrator is ${NAME} with the password ${password} (not shown again; it is in ${file}).`,
    `For OpenStack's clients: export OS_CLIENT_CONFIG_FILE=${file} OS_CLOUD=${OWN_CLOUD}`,
  ]
}

export function generatePassword(): string {
  return randomBytes(IDENTITY_LIMITS.generatedPasswordBytes).toString('hex')
}

function authUrl({ api }: Config): string {
  const host = api.host === '0.0.0.0' || api.host === '::' ? '127.0.0.1' : api.host
  return `http://${host.includes(':') ? `[${host}]` : host}:${api.port}/identity/v3`
}

async function writeClouds(file: string, url: string, password: string): Promise<void> {
  const auth = {
    auth_url: url,
    username: NAME,
    password,
    user_domain_name: 'Default',
    project_name: 'admin',
    project_domain_name: 'Default',
  }
  await replaceFile(
    file,
    stringify({
      clouds: {
        [OWN_CLOUD]: { auth, region_name: 'RegionOne', identity_api_version: 3, volume_api_version: 3 },
      },
    }),
  )
}

/** After the port has changed, the file that we made still says where the API is. What else is in it stays. */
async function keepAddress(file: string, url: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return
  const document = parse(text) as { clouds?: Record<string, { auth?: { auth_url?: string } }> } | null
  const auth = document?.clouds?.[OWN_CLOUD]?.auth
  if (auth === undefined || auth.auth_url === url) return
  auth.auth_url = url
  await replaceFile(file, stringify(document))
}

async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.new`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(draft, 0o600)
  await rename(draft, file)
}
