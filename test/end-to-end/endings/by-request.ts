/** Endings that somebody asks for. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError } from '../../../sdk/errors.ts'
import type { Operation } from '../../../sdk/types.ts'
import { beforeCommit, type Ending, succeeds } from './ending.ts'
import { CASES, type RequestedKind } from './operations.ts'
import { movePlacesAway } from './places.ts'
import { refuseEnds } from './refused-ends.ts'
import type { Scene } from './scene.ts'

const PAUSED_WITHIN_MS = 5_000
/** A retry that was asked for is told from one that came by itself by coming so much sooner. */
const WAITING_FOR_LONG_MS = 12_000
const RETRIED_WITHIN_MS = 5_000
/** A lease that somebody still renewed has to run out, and then recovery has to come round to it. */
const ABANDONED_WITHIN_MS = 30_000

const cancelPending: Ending = {
  name: 'cancelled-pending',
  about: 'cancelled while pending: it ends at once',
  cell: () => ({ ends: 'cancelled' }),
  play: async (scene) => {
    const thaw = await scene.freeze('control-worker')
    await scene.start()
    await scene.each('is pending', ({ state }) => state === 'pending')
    await scene.forEach(scene.kinds, async ({ id }) => {
      const { operation } = await scene.client.cancelOperation(id)
      if (operation.state !== 'cancelled')
        throw new Error(`Expected it to be cancelled at once, got ${operation.state}`)
    })
    thaw()
    scene.returnedAtMs = Date.now()
  },
}

const cancelRunning: Ending = {
  name: 'cancelled-running',
  about: 'cancelled in the middle of its work',
  cell: beforeCommit('cancelled'),
  play: async (scene) => {
    await scene.startHeld()
    await scene.forEach(scene.kinds, async ({ id }) => void (await scene.client.cancelOperation(id)))
    await scene.letGo()
  },
}

const cancelCommitted: Ending = {
  name: 'cancelled-committed',
  about: 'cancelled after its commit point: refused with 409',
  cell: succeeds,
  play: async (scene) => {
    const acceptEnds = refuseEnds(scene)
    await scene.start()
    await scene.each('is past its commit point', ({ committed }) => committed)
    await scene.forEach(scene.kinds, ({ id }) =>
      expectRefused(scene.client.cancelOperation(id), 'operationCommitted'),
    )
    acceptEnds()
    scene.returnedAtMs = Date.now()
  },
}

const resumed: Ending = {
  name: 'paused-resumed',
  about: 'its project paused, then resumed; what begins with its commit point ends meanwhile',
  cell: succeeds,
  play: async (scene) => {
    await pauseAll(scene)
    await scene.letGo()
  },
}

const pausedThroughRestart: Ending = {
  name: 'paused-restarted',
  about: 'paused, everything killed and started again, then resumed',
  cell: succeeds,
  play: async (scene) => {
    const paused = await pauseAll(scene)
    await scene.installation.kill9All()
    await scene.installation.up()
    // As long as the reconciler takes to compare all of them with Temporal.
    await sleep(20_000)
    await scene.each('is still paused', isPaused, paused)
    await scene.letGo()
  },
}

const cancelPaused: Ending = {
  name: 'cancelled-paused',
  about: 'cancelled while it is paused',
  cell: beforeCommit('cancelled'),
  play: async (scene) => {
    await pauseAll(scene)
    scene.returnedAtMs = Date.now()
    await scene.forEach(scene.kinds, async ({ id }) => void (await scene.client.cancelOperation(id)))
    await scene.each('is cancelled during the pause', ({ state }) => state === 'cancelled')
    await scene.client.changeProject({ paused: false })
  },
}

/** Movers in their middle, the others at their beginning. Those that pass their commit point at once end during the pause. */
async function pauseAll(scene: Scene): Promise<RequestedKind[]> {
  const pausable = scene.kinds.filter((kind) => !CASES[kind].commitsAtOnce)
  await scene.startHeldMovers()
  await scene.client.changeProject({ paused: true })
  await scene.start(scene.kinds.filter((kind) => !scene.moves(kind)))
  await scene.each('is paused', isPaused, pausable, 3 * PAUSED_WITHIN_MS)
  await scene.each(
    'has ended',
    ({ state }) => state === 'succeeded',
    scene.kinds.filter((kind) => CASES[kind].commitsAtOnce),
  )
  return pausable
}

function isPaused({ state, waitingFor }: Operation): boolean {
  return state === 'running' && waitingFor === 'paused'
}

const retried: Ending = {
  name: 'retried',
  about: 'told to try now while it waits for another try, its places away and back',
  cell: succeeds,
  play: async (scene) => {
    const thaw = await scene.freeze('data-worker')
    await scene.start()
    const bringBack = await movePlacesAway(scene)
    thaw()
    const waitsMs = ({ nextRetryAt }: Operation) => Date.parse(nextRetryAt ?? '') - Date.now()
    await scene.each('waits for another try', (operation) => waitsMs(operation) > WAITING_FOR_LONG_MS)
    await bringBack()
    scene.returnedAtMs = Date.now()
    await scene.forEach(scene.kinds, async ({ id }) => void (await scene.client.retryOperation(id)))
    await scene.each('is tried', ({ nextRetryAt }) => nextRetryAt === null, scene.kinds, RETRIED_WITHIN_MS)
  },
}

const abandoned: Ending = {
  name: 'abandoned',
  about: 'abandoned while a call on its place does not return, or its bytes move',
  cell: () => ({ ends: 'failed', code: 'abandoned' }),
  play: async (scene) => {
    await scene.startHeld()
    await scene.forEach(scene.kinds, async ({ id }) => void (await scene.client.abandonOperation(id)))
    await scene.each('has ended', ({ state }) => state === 'failed', scene.kinds, 2 * ABANDONED_WITHIN_MS)
    await scene.letGo()
  },
}

const deleted: Ending = {
  name: 'deleted',
  about: 'what it creates is deleted',
  cell: (kind) =>
    CASES[kind].creates === true ? { ends: 'cancelled' } : { none: 'It works on what exists already.' },
  play: async (scene) => {
    const { client } = scene
    await scene.startHeld()
    const deletions: Operation[] = []
    await scene.forEach(scene.kinds, async ({ resourceType, resourceId }) => {
      if (resourceType === 'target') throw new Error('Expected something that can be deleted')
      const requests = {
        volume: () => client.deleteVolume(resourceId),
        snapshot: () => client.deleteSnapshot(resourceId),
        image: () => client.deleteImage(resourceId),
        backup: () => client.deleteBackup(resourceId),
      }
      deletions.push((await requests[resourceType]()).operation)
    })
    await scene.letGo()
    await scene.forEach(scene.kinds, async (_, kind) => {
      const deletion = deletions.find(({ resourceId }) => resourceId === scene.started.get(kind)?.resourceId)
      const { state, error } = await client.waitForOperation(deletion?.id ?? '')
      if (state !== 'succeeded')
        throw new Error(`Expected the deletion to succeed, got ${state}: ${error?.message}`)
    })
  },
}

async function expectRefused(request: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await request.then(
    () => 'an answer',
    (reason: unknown) => reason,
  )
  if (error instanceof ApiError && error.status === 409 && error.code === code) return
  throw new Error(`Expected 409 ${code}, got ${String(error)}`)
}

export const BY_REQUEST: readonly Ending[] = [
  cancelPending,
  cancelRunning,
  cancelCommitted,
  cancelPaused,
  resumed,
  pausedThroughRestart,
  retried,
  abandoned,
  deleted,
]
