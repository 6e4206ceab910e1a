import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { type KeystoneCredentials, KeystoneLogIn, type TokenSource } from '../sdk/keystone.ts'
import { CliError, EXIT } from './exit-codes.ts'

export interface Login {
  /** Of the credentials; the API is beside its Keystone unless `--url` says otherwise. */
  readonly authUrl: string
  readonly tokens: TokenSource
}

type Environment = NodeJS.ProcessEnv

/** What `volflow up` calls the cloud in the clouds.yaml that it writes into its data folder. */
export const OWN_CLOUD = 'volflow'

/**
 * How to log in, as for every client of OpenStack: the variables OS_*; the cloud that OS_CLOUD names in a clouds.yaml; else what `volflow up`
 * has written into its data folder on this machine, when it is for that API. Undefined: nothing says how. Throws CliError.
 */
export function findLogin(url: string | undefined, environment: Environment): Login | undefined {
  if (environment.OS_AUTH_TYPE === 'none') return undefined
  if (environment.OS_CLOUD !== undefined) return namedCloud(environment.OS_CLOUD, environment)
  if (environment.OS_AUTH_URL !== undefined) return fromEnvironment(environment.OS_AUTH_URL, environment)
  const own = cloudIn(join(dataFolder(environment), 'clouds.yaml'), OWN_CLOUD)
  const isMeant = own !== undefined && (url === undefined || originOf(url) === originOf(own.authUrl))
  return isMeant ? own : undefined
}

function fromEnvironment(authUrl: string, environment: Environment): Login {
  const { OS_TOKEN: token } = environment
  if (token !== undefined) return { authUrl, tokens: fixed(token) }
  const names = Object.keys(environment).filter((name) => name.startsWith('OS_'))
  const auth = names.map((name) => [name.slice('OS_'.length).toLowerCase(), environment[name]])
  return logInWith({ ...Object.fromEntries(auth), auth_url: authUrl })
}

function namedCloud(name: string, environment: Environment): Login {
  const files = [
    environment.OS_CLIENT_CONFIG_FILE,
    'clouds.yaml',
    join(homedir(), '.config/openstack/clouds.yaml'),
    '/etc/openstack/clouds.yaml',
    join(dataFolder(environment), 'clouds.yaml'),
  ].filter((file) => file !== undefined)
  for (const file of files) {
    const login = cloudIn(file, name)
    if (login !== undefined) return login
  }
  throw new CliError(
    EXIT.usage,
    'unknownCloud',
    `Expected the cloud ${name}, which OS_CLOUD names, in one of ${files.join(', ')}.`,
  )
}

function cloudIn(file: string, name: string): Login | undefined {
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    // Not there, or somebody else's.
    return undefined
  }
  const cloud = (parse(text) as { clouds?: Record<string, Cloud> } | null)?.clouds?.[name]
  return cloud?.auth?.auth_url === undefined ? undefined : logInWith(cloud.auth)
}

interface Cloud {
  readonly auth?: Readonly<Record<string, string | undefined>>
}

/** Names as clouds.yaml has them. */
function logInWith(auth: Readonly<Record<string, string | undefined>>): Login {
  const given = (name: string) => (auth[name] === undefined ? undefined : String(auth[name]))
  const authUrl = given('auth_url') ?? ''
  const fields: Record<keyof KeystoneCredentials, string | undefined> = {
    authUrl,
    username: given('username'),
    userId: given('user_id'),
    password: given('password'),
    userDomainId: given('user_domain_id') ?? given('domain_id'),
    userDomainName: given('user_domain_name') ?? given('domain_name'),
    projectId: given('project_id'),
    projectName: given('project_name'),
    projectDomainId: given('project_domain_id') ?? given('domain_id'),
    projectDomainName: given('project_domain_name') ?? given('domain_name'),
    applicationCredentialId: given('application_credential_id'),
    applicationCredentialName: given('application_credential_name'),
    applicationCredentialSecret: given('application_credential_secret'),
  }
  const known = Object.entries(fields).filter(([, value]) => value !== undefined)
  return {
    authUrl,
    tokens: new KeystoneLogIn(Object.fromEntries(known) as unknown as KeystoneCredentials),
  }
}

function fixed(token: string): TokenSource {
  return { token: async () => token, renew: async () => token }
}

function dataFolder(environment: Environment): string {
  return environment.VOLFLOW_DATA ?? join(homedir(), '.local/share/volflow')
}

/** Loopback names are one host. */
function originOf(url: string): string | undefined {
  return URL.parse(url)?.origin.replace('//localhost', '//127.0.0.1')
}
