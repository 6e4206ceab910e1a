import { parse } from 'yaml'

/** Settings that have a variable of their own: `temporal.apiKeyFile` is `VOLFLOW_TEMPORAL_API_KEY_FILE`. */
const SETTINGS = [
  'api.host',
  'api.port',
  'api.allowedHosts',
  'api.publicUrl',
  'identity.authType',
  'identity.adminPasswordFile',
  'temporal.host',
  'temporal.port',
  'temporal.namespace',
  'temporal.apiKeyFile',
  'temporal.tls.caFile',
  'temporal.tls.certFile',
  'temporal.tls.keyFile',
  'temporal.tls.serverName',
  'database.url',
  'database.passwordFile',
  'workers.dataConcurrency',
  'workers.callConcurrency',
  'health.port',
  'backupKeyFile',
  'backupPassphraseFile',
  'webhooks.keyFile',
  'webhooks.allowHttp',
  'webhooks.allowedNetworks',
] as const

type Tree = Record<string, unknown>

/** Puts what the environment says over what the file says. A value is read as YAML: `8780`, `[a.example.org, b.example.org]`. */
export function withEnvironment(settings: unknown, environment: NodeJS.ProcessEnv): unknown {
  return SETTINGS.reduce((tree, setting) => {
    const value = environment[variableName(setting)]
    return value === undefined || value === '' ? tree : withValue(tree, setting.split('.'), parse(value))
  }, settings)
}

export function variableName(setting: string): string {
  return `VOLFLOW_${setting
    .replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
    .replaceAll('.', '_')
    .toUpperCase()}`
}

/** What is not a section is replaced by one only when there is nothing: validation then names what is wrong with the rest. */
function withValue(settings: unknown, [key = '', ...deeper]: readonly string[], value: unknown): unknown {
  if (settings != null && (typeof settings !== 'object' || Array.isArray(settings))) return settings
  const tree = (settings ?? {}) as Tree
  return { ...tree, [key]: deeper.length === 0 ? value : withValue(tree[key], deeper, value) }
}
