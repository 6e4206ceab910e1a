import { z } from 'zod'
import { LIMITS } from '../../domain/limits.ts'

/** No control characters, which would act on terminals, and no half surrogate pairs, which SQL cannot keep. */
const ONE_LINE = /^[^\p{Cc}\p{Cs}]*$/u
const SEVERAL_LINES = /^(?:[^\p{Cc}\p{Cs}]|[\n\t])*$/u
const NO_CONTROL = 'to have no control characters'

export const ID = z.string().min(1).max(LIMITS.idLengthMax)
export const NAME = z.string().min(1).max(LIMITS.nameLengthMax).regex(ONE_LINE, NO_CONTROL)
export const DESCRIPTION = z.string().max(LIMITS.descriptionLengthMax).regex(SEVERAL_LINES, NO_CONTROL)
export const PLACE = z.string().min(1).max(LIMITS.nameLengthMax)
export const METADATA = z
  .record(NAME, z.string().max(LIMITS.metadataValueLengthMax).regex(SEVERAL_LINES, NO_CONTROL))
  .refine((metadata) => Object.keys(metadata).length <= LIMITS.metadataEntriesMax, {
    error: `at most ${LIMITS.metadataEntriesMax} entries`,
  })

/** Which sizes are legal, database/requests/checks.ts says. */
export const SIZE_BYTES = z.int()

export const CONTROLS = z
  .strictObject({
    paused: z.boolean().exactOptional(),
    rateLimitBytes: z
      .int()
      .min(LIMITS.rateLimitMinBytes)
      .nullable()
      .exactOptional()
      .describe('Bytes a second; null: no limit'),
  })
  .refine((change) => Object.keys(change).length > 0, { error: 'paused or rateLimitBytes' })

export const EVENT_ID = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const STREAM_HEADERS = z.object({
  'last-event-id': EVENT_ID.exactOptional().describe('Of the stream before, to go on where it broke'),
})

export const ID_PARAMS = z.strictObject({ id: ID })

export const PAGE = {
  limit: z.coerce.number().int().min(1).max(LIMITS.pageSizeMax).default(LIMITS.pageSizeDefault),
  marker: ID.exactOptional().describe('Id of the last item of the page before: its `next`'),
}

export const RESOURCE_QUERY = z.strictObject({
  ...PAGE,
  name: NAME.exactOptional(),
  status: z.string().max(LIMITS.nameLengthMax).exactOptional(),
})

const ERROR = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      holderOperationId: z.string().exactOptional().describe('The operation that holds the resource'),
      requestId: z.string(),
    }),
  })
  .meta({ id: 'ErrorAnswer' })

export const ERRORS = { '4xx': ERROR, '5xx': ERROR } as const
