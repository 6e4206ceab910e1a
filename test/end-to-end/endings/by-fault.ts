/** Endings that faults bring about. */
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { workflowId } from '../../../domain/operations.ts'
import type { Operation } from '../../../sdk/types.ts'
import { makeDatabase, type PostgresServer, startPostgres } from '../../support/postgres-server.ts'
import { HAS_POSTGRES } from '../../support/postgres-wanted.ts'
import { type Ending, succeeds } from './ending.ts'
import { CASES, type RequestedKind } from './operations.ts'
import { CAN_MOUNT, mountPlaces, movePlacesAway, setReadOnly } from './places.ts'
import type { Scene } from './scene.ts'

const CRASHES = 5
/** Longer than a writer may go on without renewing its lease. */
const OUTAGE_MS = 7_000
/** The queue must have had no poller for a minute, and Temporal remembers pollers for a while. */
const NO_WORKER_WITHIN_MS = 240_000

/** Everything is met in the middle of its work, and everything succeeds. */
function survived(name: string, about: string, fault: (scene: Scene) => Promise<void>): Ending {
  const play = async (scene: Scene) => {
    await scene.startHeld()
    await fault(scene)
    await scene.letGo()
  }
  return { name, about, cell: succeeds, play }
}

const permanent: Ending = {
  name: 'permanent',
  about: 'a permanent failure (`invalid`): its places have become read-only',
  cell: (kind) =>
    CASES[kind].reads === true ? { none: 'It only reads.' } : { ends: 'failed', code: 'invalid' },
  isPossibleHere: CAN_MOUNT,
  options: () => Promise.resolve({ prepare: mountPlaces }),
  play: async (scene) => {
    const thaw = await scene.freeze('data-worker')
    await scene.start()
    setReadOnly(scene, true)
    thaw()
    await scene.each('has ended', ({ finishedAt }) => finishedAt !== null)
    setReadOnly(scene, false)
    scene.returnedAtMs = Date.now()
    // The janitor comes round every five minutes, and when its process starts.
    await scene.kill('control-worker')
  },
}

const placesAway = survived(
  'places-away',
  'a passing failure: its places go away and come back',
  async (scene) => {
    const bringBack = await movePlacesAway(scene)
    await scene.letGo()
    await sleep(OUTAGE_MS)
    await bringBack()
  },
)

const poison: Ending = {
  name: 'poison',
  about: 'its worker dies five times at one point',
  cell: () => ({ ends: 'failed', code: 'poison' }),
  play: async (scene) => {
    await scene.startHeld()
    for (let crash = 1; crash <= CRASHES; crash++) {
      const isBack = ({ attempt, phase, kind }: Operation) =>
        attempt === crash && (phase !== null || !scene.moves(kind as RequestedKind))
      await scene.each(`has begun attempt ${crash}`, isBack)
      await scene.kill('data-worker')
    }
    await scene.letGo()
  },
}

const noWorker: Ending = {
  name: 'no-worker',
  about: 'nobody serves its queue for more than a minute, which it says; then somebody does',
  cell: succeeds,
  play: async (scene) => {
    const thaw = await scene.freeze('data-worker')
    await scene.start()
    const saysSo = ({ waitingFor }: Operation) => waitingFor?.startsWith('no worker for') === true
    await scene.each('says so', saysSo, scene.kinds, NO_WORKER_WITHIN_MS).finally(thaw)
    scene.returnedAtMs = Date.now()
  },
}

const dataWorker = survived('data-worker-killed', 'the data worker killed', (scene) =>
  scene.kill('data-worker'),
)

const controlWorker = survived('control-worker-killed', 'the control worker killed', (scene) =>
  scene.kill('control-worker'),
)

const api: Ending = {
  name: 'api-killed',
  about: 'the API killed after its answer, before it told Temporal',
  cell: succeeds,
  play: async (scene) => {
    const thaw = await scene.freeze('temporal')
    await scene.start()
    process.kill(await scene.installation.servicePid('api'), 'SIGKILL')
    thaw()
    await scene.ready()
    scene.returnedAtMs = Date.now()
  },
}

const temporal = survived('temporal-killed', 'the Temporal server killed and started again', (scene) =>
  scene.kill('temporal'),
)

const powerCut = survived(
  'all-killed',
  'everything killed at once, as by a power cut',
  async ({ installation }) => {
    await installation.kill9All()
    await installation.up()
  },
)

const temporalLost = survived('temporal-lost', "Temporal's data lost", async (scene) => {
  await scene.installation.kill9All()
  for (const name of ['temporal.db', 'temporal.db-wal', 'temporal.db-shm']) {
    await rm(scene.inData(name), { force: true })
  }
  await scene.installation.up()
})

const terminated: Ending = {
  name: 'terminated',
  about: 'its workflow terminated by hand',
  cell: () => ({ ends: 'failed', code: 'workflowClosed' }),
  play: async (scene) => {
    await scene.startHeld()
    await scene.withTemporal((client) =>
      scene.forEach(scene.kinds, async ({ id }, kind) => {
        await client.workflow.getHandle(workflowId(kind, id)).terminate('by hand')
      }),
    )
    await scene.letGo()
  },
}

let postgres: PostgresServer | undefined

/** On PostgreSQL: a file does not go away without the disk that everything else is on. */
const databaseAway: Ending = {
  ...survived('database-away', 'its database (PostgreSQL) goes away and comes back', async () => {
    await postgres?.stop()
    await sleep(OUTAGE_MS)
    await postgres?.startAgain()
  }),
  isPossibleHere: HAS_POSTGRES,
  options: async () => {
    const server = await startPostgres()
    onTestFinished(() => server.remove())
    postgres = server
    return { database: await makeDatabase(server.admin) }
  },
}

export const BY_FAULT: readonly Ending[] = [
  permanent,
  placesAway,
  poison,
  noWorker,
  dataWorker,
  controlWorker,
  api,
  temporal,
  temporalLost,
  terminated,
  databaseAway,
  powerCut,
]
