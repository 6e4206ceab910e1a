/** Rows that stayed behind when their operation or upload ended: normally each goes with the end, in one transaction. */
import {
  leftArtifacts,
  leftAttempts,
  leftLocks,
  type LeftRow,
  uploadsExpiredBefore,
} from '../../../database/audit.ts'
import { clearExpiredUploads } from '../../uploads.ts'
import type { FsckContext } from '../context.ts'
import type { Check, Finding, FindingCode } from '../finding.ts'
import { recover } from '../recover.ts'

export function rowChecks(context: FsckContext): Check[] {
  const { database } = context
  return [
    { name: 'locks', find: () => findLeft(context, 'lock-left', leftLocks(database)) },
    { name: 'attempts', find: () => findLeft(context, 'attempt-left', leftAttempts(database)) },
    { name: 'artifacts', find: () => findArtifacts(context) },
    { name: 'uploads', find: () => findUploads(context) },
  ]
}

async function* findLeft(
  context: FsckContext,
  code: FindingCode,
  rows: Promise<LeftRow[]>,
): AsyncGenerator<Finding> {
  for (const row of await rows) {
    if (!context.isSettled(row.finishedAt)) continue
    yield {
      code,
      where: 'database',
      what: `${row.what} of operation ${row.operationId}`,
      explanation: `The operation ${row.state === null ? 'does not exist' : `has ended: ${row.state}`}.`,
      next: 'The operation is recovered from: once nobody can still be writing, it lets go.',
      mend: { needs: 'repair', run: () => recover(context, row.operationId) },
    }
  }
}

async function* findArtifacts(context: FsckContext): AsyncGenerator<Finding> {
  for (const row of await leftArtifacts(context.database)) {
    if (!context.isSettled(row.finishedAt)) continue
    const finding = {
      code: 'artifact-left',
      where: row.place,
      what: `${row.what} of operation ${row.operationId}`,
    } as const
    if (row.state === null || (row.state === 'succeeded' && row.purpose === 'result')) {
      yield {
        ...finding,
        explanation: `The operation ${row.state === null ? 'does not exist' : 'succeeded'}, so this may be somebody's data.`,
        next: 'Kept. Delete the row from the table artifacts when you know whose it is.',
      }
    } else {
      yield {
        ...finding,
        explanation: `The operation has ended (${row.state}) and could not remove what it had made.`,
        next: 'It is released, as the janitor does every five minutes.',
        mend: { needs: 'repair', run: () => recover(context, row.operationId) },
      }
    }
  }
}

async function* findUploads(context: FsckContext): AsyncGenerator<Finding> {
  const { database, stores, youngMs } = context
  for (const imageId of await uploadsExpiredBefore(database, Date.now() - youngMs)) {
    yield {
      code: 'upload-left',
      where: 'database',
      what: `upload of image ${imageId}`,
      explanation: 'Nobody sends its bytes any more.',
      next: 'Its bytes are removed, and the image waits for another upload.',
      mend: { needs: 'repair', run: () => clearExpiredUploads({ database, stores }) },
    }
  }
}
