import { sleep } from '@temporalio/workflow'
import type { OperationEnd } from '../domain/operations.ts'
import type { OperationInput } from './operation.ts'
import { control } from './proxies.ts'
import { releaseArtifacts } from './release.ts'

/**
 * Ends an operation whose workflow was closed without writing the end (terminated by hand), and clears up after one that ended
 * with something left. Waits first until nobody can still be writing. An operation that is given up ends at once; what its places
 * cannot release now is released when they are back.
 */
export async function recover(input: OperationInput & { givenUp?: OperationEnd['error'] }): Promise<void> {
  const { operationId, givenUp } = input
  for (;;) {
    const quietInMs = await control.quietInMs(operationId)
    if (quietInMs === 0) break
    await sleep(quietInMs)
  }
  if (givenUp !== undefined) await control.end(operationId, { outcome: 'failed', error: givenUp })
  await releaseArtifacts(operationId, 'all')
  await control.end(operationId, {
    outcome: 'failed',
    error: { code: 'workflowClosed', message: 'The workflow was closed before the operation ended.' },
  })
}
