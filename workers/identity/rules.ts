import type { ApiDependencies } from '../../api/dependencies.ts'
import { noAuthentication } from '../../api/identity/none.ts'
import { ownAuthentication } from '../../api/identity/own.ts'
import { keystoneAuthentication } from '../../api/identity/real-keystone.ts'
import type { Config } from '../../config/config.ts'
import { readSecret } from '../../config/secrets.ts'
import type { Database } from '../../database/open.ts'
import { KeystoneLogIn } from '../../sdk/keystone.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/

type IdentityRules = Pick<ApiDependencies, 'authentication' | 'servesIdentity' | 'identityUrl' | 'publicUrl'>

/** How the API knows its callers. */
export async function identityRules({ identity, api }: Config, database: Database): Promise<IdentityRules> {
  const links = api.publicUrl === undefined ? {} : { publicUrl: api.publicUrl.replace(/\/+$/, '') }
  if (identity.authType === 'none') return { authentication: noAuthentication, ...links }
  if (identity.keystone === undefined)
    return { authentication: ownAuthentication(database), servesIdentity: true, ...links }
  const { url, passwordFile, ...names } = identity.keystone
  const tokens = new KeystoneLogIn({ authUrl: url, password: await readSecret(passwordFile), ...names })
  return { authentication: keystoneAuthentication({ url, tokens }), identityUrl: url, ...links }
}

/** Throws when everybody in a network would be an administrator. */
export function checkExposure({ identity, api }: Pick<Config, 'identity' | 'api'>): void {
  if (identity.authType !== 'none' || LOOPBACK.test(api.host)) return
  throw new Error(
    `Expected api.host to be a loopback address such as 127.0.0.1 with identity.authType none, got ${api.host}: whoever reaches it ` +
      'would be an administrator. Set identity.authType to own, or api.host to 127.0.0.1.',
  )
}
