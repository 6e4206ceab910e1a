/** What is shown of something that goes on: an operation, or an upload by this process. */
export interface ProgressState {
  readonly kind: string
  readonly phase: string
  readonly doneBytes: number
  /** 0: not known, so that there is nothing to draw. */
  readonly totalBytes: number
  /** Anything else that the user should know, such as why it is tried again. */
  readonly note?: string
}

export interface ProgressView {
  /** `facts` may be asked again later: the time goes on between two states. */
  show(state: ProgressState, facts: () => Facts): void
  /** Leaves the terminal as it was. */
  end(): void
}

export interface Facts {
  readonly percent: number | undefined
  /** `1.2 GiB of 2 GiB` */
  readonly bytes: string | undefined
  readonly rate: string | undefined
  readonly left: string | undefined
  readonly elapsed: string
}
