import type { CinderStore } from '../../backup-format/cinder/store.ts'
import type { TargetSpec } from '../../backup-format/target.ts'
import { openDirectoryStore } from './directory-store.ts'

/** Connects to nothing yet; the first call does. Worker threads import this module by its URL. */
export function openCinderStore(spec: TargetSpec): CinderStore {
  if (spec.driver === 'directory') return openDirectoryStore(spec.path)
  let opened: Promise<CinderStore> | undefined
  // Loaded when it is used: it takes a thread longer than all the rest.
  const store = () => (opened ??= import('./s3-store.ts').then(({ openS3Store }) => openS3Store(spec)))
  return {
    kind: 's3',
    list: async function* (prefix) {
      yield* (await store()).list(prefix)
    },
    get: async (...args) => (await store()).get(...args),
    put: async (...args) => (await store()).put(...args),
    copy: async (from, to) => (await store()).copy(from, to),
    delete: async (key) => (await store()).delete(key),
    close: async () => (await opened)?.close(),
  }
}

/** For `ThreadStore`: where worker threads find `openCinderStore`. */
export const storeFactoryUrl = import.meta.url
