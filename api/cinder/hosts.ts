/** Cinder names a place for volumes `host@backend#pool`; ours have one pool each. */
export const SERVICE_HOST = 'volflow'

export function serviceOf(backend: string): string {
  return `${SERVICE_HOST}@${backend}`
}

export function hostOf(backend: string): string {
  return `${serviceOf(backend)}#${backend}`
}

/** `volflow@files#files`, `volflow@files` -> `files`. Undefined: no name of ours. */
export function backendOf(host: string): string | undefined {
  const [, backend, pool] = /^volflow@([^#@]+)(?:#(.+))?$/.exec(host) ?? []
  return pool === undefined || pool === backend ? backend : undefined
}
