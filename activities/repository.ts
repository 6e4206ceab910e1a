import { createOrOpenRepository, type Repository } from '../backup-format/repository.ts'
import { openThreadTarget } from '../backup-format/thread-target.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

/** Opens the target's repository (made on first use), runs the work, and closes the target. */
export async function withRepository<T>(
  deps: ActivityDependencies,
  targetName: string,
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const spec = place(deps.targets, 'target', targetName)
  const target = await openThreadTarget({ targetFactoryUrl: deps.targetFactoryUrl, targetSpec: spec })
  try {
    return await work(await createOrOpenRepository(target, deps.keyring))
  } finally {
    await target.close()
  }
}
