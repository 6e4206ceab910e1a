import { BY_FAULT } from './by-fault.ts'
import { BY_REQUEST } from './by-request.ts'
import type { Ending } from './ending.ts'

export const ENDINGS: readonly Ending[] = [...BY_REQUEST, ...BY_FAULT]
