import type { Operation } from '../../sdk/types.ts'
import type { UsedInstallation } from './installation.ts'

export interface Kill {
  readonly pid: number
  /** Which part of the data was done, 0 to 1. */
  readonly at: number
}

const EARLIEST = 0.3
const LATEST = 0.7

/** Kills the process that moves the bytes, once, when between 30 and 70 % of the data are done. */
export class WorkerKiller {
  readonly #installation: UsedInstallation
  readonly #onKill: (kill: Kill) => void
  #holeBytes: number | undefined
  #started = false
  #kill: Kill | undefined

  constructor(installation: UsedInstallation, onKill: (kill: Kill) => void) {
    this.#installation = installation
    this.#onKill = onKill
  }

  /** Undefined: it was over before it could be caught in the middle. */
  get kill(): Kill | undefined {
    return this.#kill
  }

  observe({ doneBytes, totalBytes }: Operation): void {
    if (doneBytes === 0) return
    // What is done at once was nothing to be moved.
    this.#holeBytes ??= doneBytes
    const at = (doneBytes - this.#holeBytes) / (totalBytes - this.#holeBytes)
    if (this.#started || !(at >= EARLIEST && at <= LATEST)) return
    this.#started = true
    void this.#killNow(at)
  }

  async #killNow(at: number): Promise<void> {
    const pid = await this.#installation.pidOf?.('data-worker')
    if (pid === undefined) return
    process.kill(pid, 'SIGKILL')
    this.#kill = { pid, at }
    this.#onKill(this.#kill)
  }
}
