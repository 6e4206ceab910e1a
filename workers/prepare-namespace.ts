import { type Connection, isGrpcServiceError } from '@temporalio/client'
import { msToTs } from '@temporalio/common/lib/time.js'
import { LIMITS } from '../domain/limits.ts'
import { SEARCH_ATTRIBUTES } from '../domain/search-attributes.ts'

/** Of gRPC. */
const ALREADY_EXISTS = 6
/** Of Temporal's search attributes. */
const KEYWORD = 2

/**
 * Registers what is missing. Throws until all of it can be used: a server takes seconds to notice a new namespace. Then call it again.
 */
export async function prepareNamespace(
  { workflowService, operatorService }: Connection,
  namespace: string,
): Promise<void> {
  await workflowService
    .registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs(LIMITS.historyRetentionMs) })
    .catch((error: unknown) => {
      if (!isGrpcServiceError(error) || Number(error.code) !== ALREADY_EXISTS) throw error
    })
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace })
  const missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes[name] === undefined)
  if (missing.length > 0) {
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]))
    await operatorService.addSearchAttributes({ namespace, searchAttributes })
  }
  const query = SEARCH_ATTRIBUTES.map((name) => `${name} = 'nothing'`).join(' OR ')
  await workflowService.countWorkflowExecutions({ namespace, query })
}
