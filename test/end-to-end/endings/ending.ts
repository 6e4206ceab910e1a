/** What an ending is: how it is brought about for all kinds of operations at once, and how each of them is to end. */
import type { OperationOutcome } from '../../../domain/operations.ts'
import type { InstallationOptions } from '../installation.ts'
import { CASES, type RequestedKind } from './operations.ts'
import type { Scene } from './scene.ts'

/** `none`: why this kind of operation cannot meet this ending. */
export type Cell = { readonly ends: OperationOutcome; readonly code?: string } | { readonly none: string }

export interface Ending {
  /** For VOLFLOW_ENDINGS and the names of tests. */
  readonly name: string
  /** For docs/operations.md. */
  readonly about: string
  readonly cell: (kind: RequestedKind) => Cell
  /** Starts the operations, brings the ending about and takes it back. How they end is looked at afterwards. */
  readonly play: (scene: Scene) => Promise<void>
  /** Left out: on every machine. */
  readonly isPossibleHere?: boolean
  readonly options?: () => Promise<InstallationOptions>
}

export const succeeds = (): Cell => ({ ends: 'succeeded' })

export const NOTHING_BEFORE_COMMIT = 'It begins with its commit point.'

/** For what is possible only before the commit point. */
export function beforeCommit(ends: OperationOutcome): (kind: RequestedKind) => Cell {
  return (kind) => (CASES[kind].commitsAtOnce ? { none: NOTHING_BEFORE_COMMIT } : { ends })
}
