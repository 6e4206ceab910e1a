/** Typed search attributes that every workflow carries; registered when the Temporal server is set up. Ids only: they are never encrypted. */
export const SEARCH_ATTRIBUTES = ['OperationKind', 'ProjectId', 'ResourceId', 'Backend'] as const
