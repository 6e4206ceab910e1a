/** `web-download` and `glance-download` would let users make us open connections into our own network. */
export const IMPORT_METHODS = ['glance-direct', 'copy-image'] as const
export type ImportMethod = (typeof IMPORT_METHODS)[number]
