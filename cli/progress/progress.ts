import { formatBytes } from '../../domain/sizes.ts'
import { formatSeconds } from '../text.ts'
import { ProgressBar } from './progress-bar.ts'
import { ProgressLines } from './progress-lines.ts'
import { Rate } from './rate.ts'
import type { Facts, ProgressState, ProgressView } from './view.ts'

/** A bar that is drawn anew on a terminal, lines elsewhere. */
export class Progress {
  readonly #view: ProgressView
  readonly #rate = new Rate()
  readonly #startedMs = performance.now()

  constructor(stream: NodeJS.WriteStream) {
    this.#view = stream.isTTY ? new ProgressBar(stream) : new ProgressLines(stream)
  }

  update(state: ProgressState): void {
    this.#rate.add(state.doneBytes)
    this.#view.show(state, () => this.#facts(state))
  }

  end(): void {
    this.#view.end()
  }

  #facts({ doneBytes, totalBytes }: ProgressState): Facts {
    const elapsed = formatSeconds((performance.now() - this.#startedMs) / 1000)
    if (totalBytes === 0)
      return { elapsed, percent: undefined, bytes: undefined, rate: undefined, left: undefined }
    const perSecond = this.#rate.bytesPerSecond
    return {
      elapsed,
      percent: Math.floor(Math.min(1, doneBytes / totalBytes) * 100),
      bytes: `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
      rate: perSecond === undefined ? undefined : `${formatBytes(Math.round(perSecond))}/s`,
      left:
        perSecond === undefined ? undefined : `${formatSeconds((totalBytes - doneBytes) / perSecond)} left`,
    }
  }
}
