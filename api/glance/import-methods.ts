import type { ApiContext } from '../context.ts'

/** `web-download` and `glance-download` would let users make us open connections into our own network. */
export function importMethods(_context: Pick<ApiContext, 'places'>): string[] {
  return ['glance-direct']
}
