import { REPOSITORY_KEY } from '../../backup-format/names.ts'
import { openRepository } from '../../backup-format/repository.ts'
import { targetSelfTest } from '../../backup-format/self-test.ts'
import type { BackupTarget } from '../../backup-format/target.ts'
import type { Config, TargetConfig } from '../../config/config.ts'
import { openTarget } from '../../drivers/backups/registry.ts'
import { LIMITS } from '../../domain/limits.ts'
import { configuredSecrets, lookingKeyring } from '../keyring.ts'
import { listKeys } from '../keys/list-keys.ts'
import { openTargetSpec } from '../places.ts'
import { type Answer, type CheckResult, probe, warn } from './check.ts'
import { folderChecks } from './folders.ts'

export async function* targetChecks(
  config: Config,
  name: string,
  place: TargetConfig,
): AsyncGenerator<CheckResult> {
  const where = `target ${name}`
  const results = await Array.fromAsync(placeChecks(where, place))
  yield* results
  if (results.some(({ state, check }) => state === 'fail' && check !== 'clock')) return
  const opened: BackupTarget[] = []
  const reached = await probe({ where, check: 'reachable', next: reachNext(place) }, async () => {
    const spec = await openTargetSpec(place)
    opened.push(openTarget(spec), openTarget(spec))
    const startedMs = performance.now()
    await opened[0]?.get(REPOSITORY_KEY)
    return `${(performance.now() - startedMs).toFixed(0)} ms`
  })
  yield reached
  const [one, two] = opened
  try {
    if (reached.state !== 'ok' || one === undefined || two === undefined) return
    yield await probe(
      {
        where,
        check: 'repository',
        next: `Put the key back with which it was made: ${config.backupKeyFile}`,
      },
      () => repository(config, one),
    )
    yield await keySlots(config, name, one)
    for (const { name: check, run } of targetSelfTest([one, two])) {
      yield await probe({ where, check, next: 'Backups would be damaged here. Use another server.' }, run)
    }
  } finally {
    for (const target of opened) await target.close()
  }
}

/** What can be asked without opening it. */
export async function* placeChecks(where: string, place: TargetConfig): AsyncGenerator<CheckResult> {
  if (place.driver === 'directory') yield* folderChecks(where, place.path, { volumes: false })
  else
    yield await probe({ where, check: 'clock', next: 'Set the clock: let NTP do it.' }, () =>
      clockSkew(place.endpoint),
    )
}

export function reachNext(place: TargetConfig): string {
  return place.driver === 's3'
    ? `Check that ${place.endpoint} answers, that bucket ${place.bucket} exists, and the keys in ${place.credentialsFile}.`
    : `Check ${place.path}.`
}

/** One key that is lost or damaged must not be the end of all backups. */
async function keySlots(config: Config, name: string, target: BackupTarget): Promise<CheckResult> {
  const at = { where: `target ${name}`, check: 'key slots' }
  const slots = await listKeys(target, await configuredSecrets(config)).catch((error: Error) => error)
  const damaged = Array.isArray(slots) ? slots.find(({ state }) => state === 'damaged') : undefined
  const next =
    damaged === undefined
      ? `Make a recovery key and keep it elsewhere: volflow target keys recovery-key ${name}`
      : `Replace it, then: volflow target keys remove ${name} ${damaged.id}`
  return probe({ ...at, next }, () => {
    if (slots instanceof Error) throw slots
    if (slots === undefined) return 'none yet'
    if (damaged !== undefined) return warn(`slot ${damaged.id} is damaged`)
    const kinds = slots.map(({ kind }) => kind)
    return kinds.includes('recovery-key') ? `${kinds.join(', ')}: all intact` : warn('no recovery key')
  })
}

async function repository(config: Config, target: BackupTarget): Promise<string> {
  const found = await openRepository(target, lookingKeyring(config))
  return found === undefined ? 'none yet: the first backup makes it' : `${found.repoId}, opened with our key`
}

/** Whatever it answers, it says what time it has. */
async function clockSkew(endpoint: string): Promise<Answer> {
  const sentMs = Date.now()
  const { headers } = await fetch(endpoint, {
    method: 'HEAD',
    signal: AbortSignal.timeout(LIMITS.inspectionCallMs),
  })
  const serverMs = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(serverMs)) return warn('the server does not say what time it has')
  // The header has whole seconds.
  const skewMs = Math.abs((sentMs + Date.now()) / 2 - (serverMs + 500))
  const value = `${(skewMs / 1000).toFixed(1)} s apart`
  if (skewMs > LIMITS.clockSkewMaxMs)
    throw new Error(`Expected the server's time within 15 min, got ${value}`)
  return skewMs > LIMITS.clockSkewWarnMs ? warn(value) : value
}
