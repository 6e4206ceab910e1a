import type { Database } from '../database/open.ts'
import { type ArtifactRow, listArtifacts } from '../database/operations/artifacts.ts'
import { quietAtMs } from '../database/operations/attempts.ts'
import { type BegunOperation, beginOperation } from '../database/operations/begin.ts'
import { enterCommit } from '../database/operations/commit.ts'
import { controlsOf } from '../database/operations/controls.ts'
import { switchBackend } from '../database/operations/switch-backend.ts'
import { letGo } from '../database/operations/let-go.ts'
import { endOperation } from '../database/operations/end.ts'
import type { OperationEnd } from '../domain/operations.ts'

/** Short database steps of every operation; they run as local activities beside the workflow. */
export function createControlActivities(database: Database) {
  return {
    begin: async (operationId: string): Promise<BegunOperation | null> =>
      (await beginOperation(database, operationId)) ?? null,

    isPaused: async (operationId: string): Promise<boolean> =>
      (await controlsOf(database, operationId, Date.now())).paused,

    enterCommit: (operationId: string): Promise<boolean> => enterCommit(database, operationId),

    switchBackend: (operationId: string): Promise<void> => switchBackend(database, operationId),

    letGo: (operationId: string, role: string): Promise<void> => letGo(database, operationId, role),

    end: (operationId: string, end: OperationEnd): Promise<void> => endOperation(database, operationId, end),

    artifacts: (operationId: string, purpose: 'temporary' | 'all'): Promise<ArtifactRow[]> =>
      listArtifacts(database, operationId, purpose),

    /** Milliseconds until no attempt of the operation can still be writing. */
    quietInMs: async (operationId: string): Promise<number> =>
      Math.max(0, (await quietAtMs(database, operationId)) - Date.now()),
  }
}

export type ControlActivities = ReturnType<typeof createControlActivities>
