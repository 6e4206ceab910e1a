import { createOrOpenRepository, registerDomain } from '../../../backup-format/repository.ts'
import { DOMAIN, keyring } from '../fixtures.ts'
import { MemoryTarget } from '../memory-target.ts'
import { collector, deleter, reaper, SHAPE, writer } from './actors.ts'
import { comeToRest, damager, verifier } from './healers.ts'
import { reseed } from './seeded-crypto.ts'
import { Store } from './store.ts'
import type { Courses } from './courses.ts'
import { type Initial, type Totals, World } from './world.ts'

const WRITERS = 4

export interface Outcome {
  readonly seed: number
  readonly totals: Totals
  readonly violation?: { readonly message: string; readonly trace: string }
}

export interface Simulation {
  run(seed: number): Promise<Outcome>
}

/** The empty repository is made once: its keys are derived slowly, on purpose. */
export async function createSimulation(courses: Courses): Promise<Simulation> {
  reseed(0)
  const target = new MemoryTarget()
  const repository = await createOrOpenRepository(target, keyring(), SHAPE)
  await registerDomain(repository, DOMAIN)
  const domain = await repository.domain(DOMAIN)
  const store = new Store()
  for (const [key, bytes] of target.objects) store.putIfAbsent(key, bytes)
  const initial = { store, repository, domain }
  return { run: (seed) => simulate(seed, initial, courses) }
}

async function simulate(seed: number, initial: Initial, courses: Courses): Promise<Outcome> {
  reseed(seed)
  const world = new World(seed, initial, courses)
  try {
    const check = () => world.oracle.check()
    await world.scheduler.run(Promise.all(startActors(world)), check)
    await world.scheduler.drain(check)
    await world.scheduler.run(comeToRest(world), check)
    world.oracle.checkQuiet()
    world.totals.steps = world.scheduler.now
    world.totals.heals = world.oracle.heals
    return { seed, totals: world.totals }
  } catch (error) {
    world.totals.steps = world.scheduler.now
    const message = error instanceof Error ? error.message : String(error)
    return { seed, totals: world.totals, violation: { message, trace: world.trace.toString() } }
  }
}

function startActors(world: World): Promise<void>[] {
  world.writersLeft = WRITERS
  return [
    ...Array.from({ length: WRITERS }, (_, index) => writer(world, `writer-${index}`)),
    deleter(world, 'deleter-1'),
    deleter(world, 'deleter-2'),
    collector(world, 'collector-1'),
    collector(world, 'collector-2'),
    reaper(world),
    ...(world.damages > 0 ? [damager(world), verifier(world)] : []),
  ]
}
