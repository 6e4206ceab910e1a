import type { BackupTarget } from '../../backup-format/target.ts'

/** Opened by its first call: a driver that is not used is not loaded, which counts where every worker thread would load it. */
export function lazyTarget(kind: string, open: () => Promise<BackupTarget>): BackupTarget {
  let opened: Promise<BackupTarget> | undefined
  const target = () => (opened ??= open())
  return {
    kind,
    putIfAbsent: async (...args) => (await target()).putIfAbsent(...args),
    replace: async (...args) => (await target()).replace(...args),
    get: async (...args) => (await target()).get(...args),
    list: async function* (prefix) {
      yield* (await target()).list(prefix)
    },
    delete: async (key) => (await target()).delete(key),
    deleteMany: async (...args) => (await target()).deleteMany(...args),
    close: async () => (await opened)?.close(),
  }
}
