/** One RBD backend: where it is, and how its programs find it. No secret is ever an argument: the keyring is named in a file. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomBytes } from 'node:crypto'
import type { Blockdev } from '../../../block-io/device.ts'
import { DriverError } from '../../../domain/errors.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'

export interface RbdConfig {
  readonly driver: 'rbd'
  readonly pool: string
  readonly namespace?: string | undefined
  /** Without `client.` before it. */
  readonly user: string
  readonly confFile: string
  /** Left out: where the configuration file, or Ceph itself, says. */
  readonly keyringFile?: string | undefined
  readonly features?: readonly string[] | undefined
  readonly dataPool?: string | undefined
  readonly cloneDepthMax?: number | undefined
  /** Under which libvirt has the user's key on compute hosts; left out: the cluster's id. */
  readonly secretUuid?: string | undefined
  /** The folder of the QMP sockets of the guests that use its volumes. */
  readonly guestSockets?: string | undefined
  /** What this process makes of the above, for the programs that it starts: `<data folder>/rbd/<backend>.conf`. */
  readonly ownConfFile: string
}

export const RBD_FEATURES = ['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten'] as const

export interface RbdPlace {
  readonly pool: string
  readonly namespace: string | undefined
  readonly user: string
  readonly confFile: string
  readonly features: readonly string[]
  readonly dataPool: string | undefined
  readonly cloneDepthMax: number
  readonly secretUuid: string | undefined
}

export async function openPlace(config: RbdConfig): Promise<RbdPlace> {
  await writeOwnConf(config)
  return {
    pool: config.pool,
    namespace: config.namespace,
    user: config.user,
    confFile: config.ownConfFile,
    features: config.features ?? RBD_FEATURES,
    dataPool: config.dataPool,
    cloneDepthMax: config.cloneDepthMax ?? RBD_LIMITS.rbdCloneDepthMax,
    secretUuid: config.secretUuid,
  }
}

/** `pool/namespace/image`; with a snapshot, `@` and its name come after it. */
export function specOf(
  { pool, namespace }: Pick<RbdPlace, 'pool' | 'namespace'>,
  image: string,
  snapshot?: string,
): string {
  const spec = [pool, ...(namespace === undefined ? [] : [namespace]), image].join('/')
  return snapshot === undefined ? spec : `${spec}@${snapshot}`
}

/** For `rbd ls` and its like, which take no image. */
export function poolOf({ pool, namespace }: RbdPlace): string[] {
  return ['--pool', pool, ...(namespace === undefined ? [] : ['--namespace', namespace])]
}

/** qemu's node for an image or a snapshot. */
export function blockdevOf(place: RbdPlace, image: string, snapshot?: string): Blockdev {
  return {
    driver: 'rbd',
    pool: place.pool,
    ...(place.namespace !== undefined && { namespace: place.namespace }),
    image,
    ...(snapshot !== undefined && { snapshot }),
    conf: place.confFile,
    user: place.user,
  }
}

/** What the given file says, and then what we need: later words win. */
async function writeOwnConf({ confFile, keyringFile, user, ownConfFile }: RbdConfig): Promise<void> {
  const given = await readFile(confFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new DriverError('transient', `Expected the Ceph configuration to be readable, got ${error.code}`)
  })
  const ours = [
    `[client.${user}]`,
    ...(keyringFile === undefined ? [] : [`keyring = ${keyringFile}`]),
    `client mount timeout = ${RBD_LIMITS.rbdConnectSeconds}`,
    // What goes wrong is on stderr; a log folder of the system is not ours to write to.
    'log file =',
    'admin socket =',
    'rbd default clone format = 2',
    'rbd blocklist on break lock = true',
    `rbd blocklist expire seconds = ${RBD_LIMITS.rbdBlocklistSeconds}`,
  ]
  await mkdir(dirname(ownConfFile), { recursive: true, mode: 0o700 })
  // Several processes of ours write the same.
  const draft = `${ownConfFile}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, `${given.trimEnd()}\n${ours.join('\n')}\n`, { mode: 0o600 })
  await rename(draft, ownConfFile)
}
