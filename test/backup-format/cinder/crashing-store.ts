import type { CinderStore } from '../../../backup-format/cinder/store.ts'

/** A store of a process that dies before its `dieAt`th change: neither that nor anything later has any effect. */
export function crashingStore(
  store: CinderStore,
  dieAt: number,
): { store: CinderStore; changes: () => number } {
  let changes = 0
  const changed = async <T>(change: () => Promise<T>): Promise<T> => {
    changes += 1
    if (changes >= dieAt) throw new Error('killed')
    return change()
  }
  const crashing: CinderStore = {
    ...store,
    put: (key, body, options) => changed(() => store.put(key, body, options)),
    copy: (from, to) => changed(() => store.copy(from, to)),
    delete: (key) => changed(() => store.delete(key)),
  }
  return { store: crashing, changes: () => changes }
}
