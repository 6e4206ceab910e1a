/** One seed: writers, deleters, collectors and a reaper over one repository, the real engine below each of them. */
import type { Domain, Repository } from '../../../backup-format/repository.ts'
import type { Courses } from './courses.ts'
import { Oracle } from './oracle.ts'
import { Random } from './random.ts'
import { Process, type ProcessTemper, RELIABLE, Scheduler } from './scheduler.ts'
import type { Store } from './store.ts'
import { SimulatedTarget } from './target.ts'
import { Trace } from './trace.ts'

/** How rough this seed is. */
export interface Weather {
  readonly crashProbability: number
  readonly faultProbability: number
}

/** Of one process: most are quick, some are outlived by whole collections. */
const PAUSES = [0, 0, 0.01, 0.05, 0.2]
const PAUSE_STEPS = [20, 100, 500]
const CRASHES = [0, 0.2, 0.5]
const FAULTS = [0, 0, 0.01, 0.05]
const DAMAGE_PROBABILITY = 0.4
const DAMAGES_MAX = 6

export interface Totals {
  commits: number
  deletes: number
  collections: number
  crashes: number
  faults: number
  abandoned: number
  verifications: number
  damages: number
  /** Damaged objects that were stored anew. */
  heals: number
  /** Of all processes together. */
  steps: number
}

const NO_TOTALS: Totals = {
  ...{ commits: 0, deletes: 0, collections: 0, crashes: 0, faults: 0, abandoned: 0 },
  ...{ verifications: 0, damages: 0, heals: 0, steps: 0 },
}

/** An empty repository, and the one domain that is used. */
export interface Initial {
  readonly store: Store
  readonly repository: Repository
  readonly domain: Domain
}

export class World {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly trace: Trace
  readonly oracle: Oracle
  readonly totals: Totals = { ...NO_TOTALS }
  /** Backups that nobody goes on with any more: done, or given up. */
  readonly ended = new Set<string>()
  readonly #store: Store
  readonly #repository: Repository
  readonly #weather: Weather
  /** Objects that will be lost or altered; most courses of events have none. */
  readonly damages: number
  readonly isDiscarding: boolean
  writersLeft = 0

  constructor(seed: number, initial: Initial, courses: Courses) {
    const random = new Random(seed)
    this.random = random
    this.scheduler = new Scheduler(random)
    this.trace = new Trace(() => this.scheduler.now)
    this.#store = initial.store.copy()
    this.#repository = { ...initial.repository, epochs: { newest: 0 } }
    this.oracle = new Oracle(this.#store, this.#repository, initial.domain)
    this.#store.observer = this.oracle
    // Of its own: where nothing is damaged, the course of events is the same as without this choice.
    const fate = new Random(seed ^ 0x5bd1e995)
    this.damages = fate.chance(courses === 'damaged' ? 1 : DAMAGE_PROBABILITY)
      ? 1 + fate.below(DAMAGES_MAX)
      : 0
    this.isDiscarding = courses === 'discarding'
    this.oracle.mayHeal = this.damages > 0
    this.#weather = {
      crashProbability: random.pick(CRASHES) ?? 0,
      faultProbability: random.pick(FAULTS) ?? 0,
    }
  }

  /** Dies within `steps`, with the probability of this seed. */
  process(name: string, steps: number): Process {
    const { random } = this
    const { crashProbability, faultProbability } = this.#weather
    return this.#start(name, {
      diesAtStep: random.chance(crashProbability) ? random.below(steps) : Infinity,
      pauseProbability: random.pick(PAUSES) ?? 0,
      pauseStepsMax: random.pick(PAUSE_STEPS) ?? 0,
      faultProbability,
    })
  }

  reliableProcess(name: string): Process {
    return this.#start(name, RELIABLE)
  }

  repositoryOf(process: Process): Repository {
    const { scheduler, random, trace } = this
    const target = new SimulatedTarget({ store: this.#store, scheduler, random, trace }, process)
    return { ...this.#repository, epochs: { newest: 0 }, target }
  }

  #start(name: string, temper: ProcessTemper): Process {
    return new Process(this.scheduler, this.random, name, temper)
  }
}
