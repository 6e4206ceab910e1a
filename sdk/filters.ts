/** What lists are narrowed by, and what is changed about running work. */
import type { PageFilter } from './http.ts'
import type { Operation } from './types.ts'

export interface ResourceFilter extends PageFilter {
  readonly name?: string
  readonly status?: string
}

export interface OperationFilter extends PageFilter {
  readonly state?: Operation['state']
  readonly kind?: Operation['kind']
  readonly resourceId?: string
}

export interface ControlChange {
  readonly paused?: boolean
  /** Bytes a second; null: no limit. */
  readonly rateLimitBytes?: number | null
}

export interface EventFilter {
  readonly operationId?: string
  /** The resource that the operation is about. */
  readonly resourceId?: string
  /** Only events with a larger id; 0: from the oldest that is kept. */
  readonly after?: number
}
