import type { openWriter } from '../block-io/writer.ts'

/** Whatever block-io can write to. */
export type WriterSpec = Parameters<typeof openWriter>[0]
