/**
 * Decides which process does its next step. Everything a process waits for is a step; between two of them it runs alone, so that one
 * seed has one course of events.
 */
import type { Random } from './random.ts'

/** A course of events longer than this never ends. */
const STEPS_MAX = 50_000

export class Scheduler {
  readonly #random: Random
  #waiting: Waiting[] = []
  #now = 0

  constructor(random: Random) {
    this.#random = random
  }

  get now(): number {
    return this.#now
  }

  /** Makes steps, each after a check, until the work has ended. Nobody left who goes on although it has not: an error. */
  async run(work: Promise<unknown>, check: () => void): Promise<void> {
    let hasEnded = false
    const end = () => {
      hasEnded = true
    }
    work.then(end, end)
    await this.#turns(() => hasEnded, check)
    await work
  }

  /** Lets everything that is still under way arrive. */
  async drain(check: () => void): Promise<void> {
    await this.#turns(() => this.#waiting.length === 0, check)
  }

  #turns(isOver: () => boolean, check: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        try {
          check()
          if (isOver()) return resolve()
          this.#step()
        } catch (error) {
          return reject(error)
        }
        // Comes after everything that the step has set going: ticks wait for an empty queue of microtasks.
        queueMicrotask(() => process.nextTick(turn))
      }
      process.nextTick(turn)
    })
  }

  wait(waiting: Waiting): void {
    this.#waiting.push(waiting)
  }

  /** What a dead process had sent may still arrive. */
  bury(process: Process): void {
    this.#waiting = this.#waiting.filter(
      (waiting) => waiting.process !== process || (waiting.isSent && this.#random.chance(0.5)),
    )
  }

  /** Does it at some later step, whoever is alive then. */
  later(effect: () => void): void {
    this.#waiting.push({ process: undefined, isSent: true, resume: effect })
  }

  #step(): void {
    this.#now += 1
    if (this.#now > STEPS_MAX) throw new Error('Expected the simulation to end')
    this.#waiting.splice(this.#choose(), 1)[0]?.resume()
  }

  #choose(): number {
    const { length } = this.#waiting
    if (length === 0) throw new Error('Expected somebody to go on, everybody waits')
    const start = this.#random.below(length)
    for (let offset = 0; offset < length; offset += 1) {
      const index = (start + offset) % length
      if ((this.#waiting[index]?.process?.wakesAt ?? 0) <= this.#now) return index
    }
    // Everybody sleeps.
    this.#now = Math.min(...this.#waiting.map(({ process }) => process?.wakesAt ?? 0))
    return this.#choose()
  }
}

interface Waiting {
  /** Undefined: on its way by itself. */
  readonly process: Process | undefined
  /** A request that has left the process. */
  readonly isSent: boolean
  readonly resume: () => void
}

export interface ProcessTemper {
  /** Dies at this step; Infinity: never. */
  readonly diesAtStep: number
  /** At each step. */
  readonly pauseProbability: number
  readonly pauseStepsMax: number
  /** That the answer to a request is an error, whether or when it had its effect. */
  readonly faultProbability: number
}

export const RELIABLE: ProcessTemper = {
  diesAtStep: Infinity,
  pauseProbability: 0,
  pauseStepsMax: 0,
  faultProbability: 0,
}

/** Dies without a word: none of its code runs any more, not even what would clean up. */
export class Process {
  readonly name: string
  readonly temper: ProcessTemper
  readonly died: Promise<'died'>
  readonly #scheduler: Scheduler
  readonly #random: Random
  readonly #die = Promise.withResolvers<'died'>()
  #steps = 0
  #isAlive = true
  #wakesAt = 0

  constructor(scheduler: Scheduler, random: Random, name: string, temper: ProcessTemper) {
    this.#scheduler = scheduler
    this.#random = random
    this.name = name
    this.temper = temper
    this.died = this.#die.promise
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  get wakesAt(): number {
    return this.#isAlive ? this.#wakesAt : 0
  }

  /** Resolves when it is this process's turn, or never. */
  step({ isSent = false } = {}): Promise<void> {
    if (!this.#isAlive) return never()
    this.#steps += 1
    if (this.#steps > this.temper.diesAtStep) {
      this.#isAlive = false
      this.#scheduler.bury(this)
      this.#die.resolve('died')
      return never()
    }
    if (this.#random.chance(this.temper.pauseProbability)) this.sleep(this.temper.pauseStepsMax)
    return new Promise((resolve) => this.#scheduler.wait({ process: this, isSent, resume: resolve }))
  }

  /** For up to so many steps of everybody. */
  sleep(stepsMax: number): void {
    this.#wakesAt = this.#scheduler.now + this.#random.below(stepsMax)
  }
}

/** One for each who waits: a promise remembers them all, as long as it lives. */
function never(): Promise<never> {
  return new Promise(() => {})
}
