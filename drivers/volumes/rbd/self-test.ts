import { randomUUID } from 'node:crypto'
import { runProcess } from '../../../block-io/process.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { formatBytes, MiB } from '../../../domain/sizes.ts'
import { ceph, ifThere, rbd, rbdJson } from './commands.ts'
import { infoOf } from './images.ts'
import { openPlace, poolOf, type RbdConfig, type RbdPlace, specOf } from './place.ts'
import { purge } from './remove.ts'
import { capacityOf } from './usage.ts'

export interface RbdCheck {
  readonly name: string
  /** What to do unless it is fine. */
  readonly next: string
  readonly run: () => Promise<{ value: string; isFine: boolean }>
}

/** No client has this address: it is set aside for documentation. */
const NOBODY = '192.0.2.1:0/1'

/** In this order: each relies on those before it. Leaves nothing behind, also when only some of it is run. */
export async function* rbdSelfTest(config: RbdConfig): AsyncGenerator<RbdCheck> {
  const { pool, user } = config
  yield check('programs', 'Install ceph-common and qemu-block-extra.', programs)
  let place: RbdPlace | undefined
  const at = () => {
    if (place === undefined) throw new DriverError('invalid', 'Expected the configuration to be read')
    return place
  }
  const reach = `Check confFile, keyringFile and that pool ${pool} exists, and its monitors are reachable.`
  yield check('reachable', reach, async () => {
    place = await openPlace(config)
    const startedMs = performance.now()
    await rbdJson(place, ['ls', ...poolOf(place)])
    return fine(`${(performance.now() - startedMs).toFixed(0)} ms`)
  })
  yield check('health', 'ceph health detail', () => health(at()))
  yield check('free space', 'Make room: a full cluster stops all writes.', () => freeSpace(at()))
  const caps = `ceph auth caps client.${user} mon 'profile rbd' osd 'profile rbd pool=${pool}' mgr 'profile rbd'`
  const probe = `volflow-doctor-${randomUUID()}`
  try {
    yield check('rights', caps, () => makeImage(at(), probe))
    yield check('features', 'Choose features that this cluster and its clients know.', () =>
      features(at(), probe),
    )
    yield check('clones', 'Let the cluster require clients of Mimic or later.', () => clones(at(), probe))
    yield check('clock', 'Set the clocks of this host and of the cluster: let NTP do it.', () =>
      clock(at(), probe),
    )
    yield check('fence', caps, () => fence(at()))
  } finally {
    if (place !== undefined) await removeProbe(place, probe)
  }
}

function check(name: string, next: string, run: RbdCheck['run']): RbdCheck {
  return { name, next, run }
}

function fine(value: string) {
  return { value, isFine: true }
}

async function programs() {
  const { stdout } = await runProcess('rbd', ['--version'], { timeoutMs: LIMITS.inspectionCallMs })
  await runProcess('ceph', ['--version'], { timeoutMs: LIMITS.inspectionCallMs })
  const formats = await runProcess('qemu-img', ['--help'], { timeoutMs: LIMITS.inspectionCallMs })
  if (!/^Supported formats:.*\brbd\b/m.test(formats.stdout))
    throw new DriverError('invalid', 'Expected qemu to know rbd, it does not')
  return fine(stdout.trim())
}

async function health(place: RbdPlace) {
  const answer = JSON.parse(await ceph(place, ['health', '--format', 'json'])) as {
    status: string
    checks: Readonly<Record<string, { summary: { message: string } }>>
  }
  const reasons = Object.values(answer.checks).map(({ summary }) => summary.message)
  const value = [answer.status, ...reasons].join('; ')
  if (answer.status === 'HEALTH_ERR') throw new DriverError('transient', value)
  return { value, isFine: answer.status === 'HEALTH_OK' }
}

async function freeSpace(place: RbdPlace) {
  const { freeBytes, totalBytes } = await capacityOf(place)
  const value = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)}`
  if (freeBytes < LIMITS.freeSpaceMinBytes)
    throw new DriverError('full', `Expected room for a segment, got ${value}`)
  return { value, isFine: freeBytes >= LIMITS.freeSpaceWarnBytes }
}

async function makeImage(place: RbdPlace, image: string) {
  const { features: wanted, dataPool } = place
  const data = dataPool === undefined ? [] : ['--data-pool', dataPool]
  const size = ['--size', `${MiB}B`]
  await rbd(place, ['create', ...size, '--image-feature', wanted.join(','), ...data, specOf(place, image)])
  return fine('may make images')
}

async function features(place: RbdPlace, image: string) {
  const found = new Set((await infoOf(place, image)).features)
  const missing = place.features.filter((feature) => !found.has(feature))
  if (missing.length > 0)
    throw new DriverError('invalid', `Expected ${missing.join(', ')}, the image has it not`)
  return { value: [...found].join(', '), isFine: found.has('exclusive-lock') && found.has('fast-diff') }
}

/** A snapshot with a clone can be deleted: clone format 2. */
async function clones(place: RbdPlace, image: string) {
  await rbd(place, ['snap', 'create', '--no-progress', specOf(place, image, 'probe')])
  await rbd(place, ['clone', specOf(place, image, 'probe'), specOf(place, `${image}-clone`)])
  await rbd(place, ['snap', 'rm', '--no-progress', specOf(place, image, 'probe')])
  await rbd(place, ['rm', '--no-progress', specOf(place, `${image}-clone`)])
  return fine('snapshots with clones can be deleted')
}

/** The cluster stamps a new image with its own time, in whole seconds. */
async function clock(place: RbdPlace, image: string) {
  const stamped = `${image}-clock`
  const sentMs = Date.now()
  await makeImage(place, stamped)
  const skewMs = clusterSkewMs(sentMs, Date.parse(`${(await infoOf(place, stamped)).create_timestamp} UTC`))
  const value = `${(skewMs / 1000).toFixed(0)} s apart`
  if (skewMs > LIMITS.clockSkewMaxMs)
    throw new DriverError('invalid', `Expected the time of the cluster within 15 min, got ${value}`)
  return { value, isFine: skewMs <= LIMITS.clockSkewWarnMs }
}

/** Zero when the stamp lies between sending and now. */
function clusterSkewMs(sentMs: number, stampMs: number): number {
  return Math.max(0, sentMs - (stampMs + 1000), stampMs - Date.now())
}

/** Without it an attempt that was cut off could write when its successor has begun. */
async function fence(place: RbdPlace) {
  await ceph(place, ['osd', 'blocklist', 'add', NOBODY, '1'])
  await ceph(place, ['osd', 'blocklist', 'rm', NOBODY])
  return fine('may refuse other clients')
}

async function removeProbe(place: RbdPlace, probe: string): Promise<void> {
  for (const image of [`${probe}-clone`, `${probe}-clock`, probe]) {
    const info = await ifThere(infoOf(place, image)).catch(() => undefined)
    if (info === undefined) continue
    await ifThere(rbd(place, ['snap', 'purge', '--no-progress', specOf(place, image)]))
    await rbd(place, ['trash', 'mv', specOf(place, image)])
    await purge(place, info.id)
  }
}
