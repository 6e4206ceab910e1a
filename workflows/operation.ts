/** The frame of every operation: begin, work, commit point, end; and on the way out, release whatever was made. */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  setCurrentDetails,
} from '@temporalio/workflow'
import { rootCause } from '@temporalio/common'
import type { OperationKind, OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { listenForResume } from './pause.ts'
import { control } from './proxies.ts'
import { releaseArtifacts } from './release.ts'

export interface OperationInput {
  readonly operationId: string
}

export interface OperationSteps<K extends OperationKind> {
  /** Everything that can be cancelled and is undone through its artifacts. Returns what to show when it succeeded. */
  readonly work?: (spec: OperationSpecs[K] & OperationInput) => Promise<OperationResult>
  /** Makes the result final. Runs after the commit point: it is repeated until it is done, and cannot be cancelled. */
  readonly commit?: (spec: OperationSpecs[K] & OperationInput) => Promise<OperationResult>
}

export async function runOperation<K extends OperationKind>(
  input: OperationInput,
  steps: OperationSteps<K>,
): Promise<OperationResult> {
  const { operationId } = input
  listenForResume()
  const begun = await CancellationScope.nonCancellable(() => control.begin(operationId))
  if (begun === null) return {}
  const spec = { ...(begun.spec as OperationSpecs[K]), operationId }
  try {
    if (begun.cancelRequested) throw new CancelledFailure('Cancelled before it began')
    setCurrentDetails(`${begun.kind}: working`)
    const worked = (await steps.work?.(spec).catch(cancelledIfAsked)) ?? {}
    return await CancellationScope.nonCancellable(async () => {
      if (!(await control.enterCommit(operationId)))
        throw new CancelledFailure('Cancelled before the commit point')
      setCurrentDetails(`${begun.kind}: committing`)
      const committed = (await steps.commit?.(spec)) ?? {}
      await releaseArtifacts(operationId, 'temporary')
      const result = { ...worked, ...committed }
      await control.end(operationId, { outcome: 'succeeded', result })
      setCurrentDetails(`${begun.kind}: done`)
      return result
    })
  } catch (error) {
    await CancellationScope.nonCancellable(() => giveUp(operationId, error))
    throw error
  }
}

/** An attempt that vanishes while it is cancelled is not repeated: Temporal then reports the timeout, and not the cancellation. */
function cancelledIfAsked(error: unknown): never {
  throw CancellationScope.current().consideredCancelled ? new CancelledFailure('Cancelled') : error
}

/** Undo: releases every artifact, newest first, and writes the end. */
async function giveUp(operationId: string, error: unknown): Promise<void> {
  const cancelled = isCancellation(error)
  setCurrentDetails(cancelled ? 'cancelled: undoing' : 'failed: undoing')
  await releaseArtifacts(operationId, 'all')
  await control.end(
    operationId,
    cancelled ? { outcome: 'cancelled' } : { outcome: 'failed', error: describe(error) },
  )
}

function describe(error: unknown): { code: string; message: string } {
  let cause: unknown = error
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause
  const code = cause instanceof ApplicationFailure ? (cause.type ?? 'unexpected') : 'unexpected'
  return { code, message: rootCause(error) ?? String(error) }
}
