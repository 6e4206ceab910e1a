/** What users see of a running operation. Bytes are observed, never estimated. */
export interface Progress {
  readonly phase: string
  readonly doneBytes: number
  readonly totalBytes: number
  /** Bytes really read and written by this operation: less than `doneBytes` where holes, clones or dedup saved work. */
  readonly movedBytes: number
}

/** What an operation reports when it succeeded. */
export interface OperationResult {
  /** The way the bytes went: `blank`, `confined-convert`, `copy`, `qcow2-layer`, `reflink`, `full`, `incremental`, … */
  readonly path?: string
  readonly movedBytes?: number
  readonly [detail: string]: string | number | boolean | null | undefined
}
