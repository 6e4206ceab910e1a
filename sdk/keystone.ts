import { ApiError, UnreachableError } from './errors.ts'

/** Where requests get their token from. */
export interface TokenSource {
  /** Undefined: there are no credentials, and the API may want none. */
  readonly token: () => Promise<string | undefined>
  /** After the API refused that token. */
  readonly renew: (refused: string) => Promise<string | undefined>
}

/** As in clouds.yaml, in the variables OS_*, and in Keystone. */
export interface KeystoneCredentials {
  /** `http://127.0.0.1:8780/identity/v3` */
  readonly authUrl: string
  readonly username?: string
  readonly userId?: string
  readonly password?: string
  readonly userDomainId?: string
  readonly userDomainName?: string
  readonly projectId?: string
  readonly projectName?: string
  readonly projectDomainId?: string
  readonly projectDomainName?: string
  readonly applicationCredentialId?: string
  readonly applicationCredentialName?: string
  readonly applicationCredentialSecret?: string
}

const TIMEOUT_MS = 30_000
/** A token that ends sooner is replaced before it is used. */
const RENEW_BEFORE_MS = 60_000

/** Logs in at a Keystone when a token is needed, and again before it ends. Throws ApiError and UnreachableError. */
export class KeystoneLogIn implements TokenSource {
  readonly #credentials: KeystoneCredentials
  #current: Promise<{ token: string; expiresAtMs: number }> | undefined

  constructor(credentials: KeystoneCredentials) {
    this.#credentials = credentials
  }

  async token(): Promise<string> {
    this.#current ??= logIn(this.#credentials)
    try {
      const { token, expiresAtMs } = await this.#current
      if (expiresAtMs - Date.now() > RENEW_BEFORE_MS) return token
    } catch (error) {
      this.#current = undefined
      throw error
    }
    this.#current = undefined
    return this.token()
  }

  async renew(refused: string): Promise<string> {
    if ((await this.#current)?.token === refused) this.#current = undefined
    return this.token()
  }
}

async function logIn(credentials: KeystoneCredentials): Promise<{ token: string; expiresAtMs: number }> {
  const url = `${versioned(credentials.authUrl)}/auth/tokens?nocatalog`
  let response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: authOf(credentials) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    })
  } catch (error) {
    throw new UnreachableError(credentials.authUrl, { cause: error })
  }
  const token = response.headers.get('x-subject-token')
  if (response.status !== 201 || token === null) throw await refusal(response, credentials)
  const body = (await response.json()) as { token: { expires_at: string } }
  return { token, expiresAtMs: Date.parse(body.token.expires_at) }
}

function versioned(authUrl: string): string {
  const url = authUrl.replace(/\/+$/, '')
  return url.endsWith('/v3') ? url : `${url}/v3`
}

function authOf(credentials: KeystoneCredentials): object {
  const { applicationCredentialSecret: secret } = credentials
  const user = {
    ...(credentials.userId === undefined
      ? { name: credentials.username, domain: domainOf(credentials.userDomainId, credentials.userDomainName) }
      : { id: credentials.userId }),
  }
  if (secret !== undefined) {
    const { applicationCredentialId: id, applicationCredentialName: name } = credentials
    const which = id === undefined ? { name, user } : { id }
    const identity = { methods: ['application_credential'], application_credential: { ...which, secret } }
    return { identity }
  }
  const identity = {
    methods: ['password'],
    password: { user: { ...user, password: credentials.password ?? '' } },
  }
  const { projectId, projectName } = credentials
  if (projectId !== undefined) return { identity, scope: { project: { id: projectId } } }
  if (projectName === undefined) return { identity }
  const domain = domainOf(credentials.projectDomainId, credentials.projectDomainName)
  return { identity, scope: { project: { name: projectName, domain } } }
}

function domainOf(id: string | undefined, name: string | undefined): object {
  if (id !== undefined) return { id }
  return name === undefined ? { id: 'default' } : { name }
}

async function refusal(response: Response, { authUrl, username }: KeystoneCredentials): Promise<ApiError> {
  await response.body?.cancel()
  const who = username === undefined ? 'the credentials' : `user ${username}`
  const message =
    response.status === 401
      ? `The log-in of ${who} at ${authUrl} was refused: a wrong password, no role in the project, or too many wrong passwords before.`
      : `Expected a token of ${authUrl}, got an answer ${response.status}.`
  return new ApiError(response.status, {
    code: response.status === 401 ? 'logInRefused' : 'unexpectedAnswer',
    message,
  })
}
