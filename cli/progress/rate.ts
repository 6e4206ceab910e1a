const WINDOW_MS = 10_000
const SAMPLES_MAX = 200

/** Bytes per second over the last ten seconds. */
export class Rate {
  #samples: { atMs: number; bytes: number }[] = []

  add(bytes: number, atMs = performance.now()): void {
    const last = this.#samples.at(-1)
    // A new attempt may begin again at its last checkpoint.
    if (last !== undefined && bytes < last.bytes) this.#samples = []
    this.#samples.push({ atMs, bytes })
    const oldestMs = atMs - WINDOW_MS
    this.#samples = this.#samples.filter((sample) => sample.atMs >= oldestMs).slice(-SAMPLES_MAX)
  }

  /** Undefined: too little is known. */
  get bytesPerSecond(): number | undefined {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.bytes <= first.bytes) return undefined
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000
  }
}
