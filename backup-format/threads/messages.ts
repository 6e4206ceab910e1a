/** What a pool and its threads say to each other: plain values, which the structured clone copies. */
import type { DriverErrorKind } from '../../domain/errors.ts'

/** A job is one operation's work on this thread: what it has opened there, and the tasks that use it. */
export type ToThread =
  | { readonly type: 'open'; readonly job: number; readonly moduleUrl: string; readonly data: unknown }
  | { readonly type: 'run'; readonly job: number; readonly ticket: number; readonly task: unknown }
  | { readonly type: 'close'; readonly job: number }

export type FromThread =
  | { readonly type: 'done'; readonly ticket: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly ticket: number; readonly error: PlainError }
  | { readonly type: 'closed'; readonly job: number }

export interface PlainError {
  readonly kind: DriverErrorKind | undefined
  readonly message: string
}

/** What a job's module exports as `open`. `keep` has something closed when the job is, or when it could not be opened. */
export type OpenJob<Data, Task, Result> = (
  data: Data,
  keep: Keep,
) => Promise<(task: Task, signal: AbortSignal) => Promise<Result>>

export type Keep = <T extends { close(): Promise<void> }>(opened: T) => T
