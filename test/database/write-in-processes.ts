import { join } from 'node:path'
import { execa } from 'execa'
import type { DatabasePlace } from '../../database/open.ts'

const WRITER = join(import.meta.dirname, 'event-writer.ts')

/** Makes volumes in the database, each process so many, three events each. */
export async function writeInProcesses(
  place: DatabasePlace,
  { processes, operations }: { processes: number; operations: number },
): Promise<void> {
  const env = { NODE_NO_WARNINGS: '1' }
  await Promise.all(
    Array.from({ length: processes }, () =>
      execa(process.execPath, [WRITER, JSON.stringify(place), String(operations)], { env }),
    ),
  )
}
