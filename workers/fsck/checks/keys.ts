/** What opens the backups of a target: its key slots, and the keys of its projects, which are there twice. */
import { damagedRoots, repairRoot } from '../../../backup-format/domain-root.ts'
import { listDomains, type Repository } from '../../../backup-format/repository.ts'
import { configuredSecrets } from '../../keyring.ts'
import { listKeys } from '../../keys/list-keys.ts'
import type { FsckContext } from '../context.ts'
import type { Check, Finding } from '../finding.ts'

export function keyChecks(context: FsckContext): Check[] {
  return context.targets.flatMap(({ name, repository }) =>
    repository === undefined
      ? []
      : [
          { name: `key slots of target ${name}`, find: () => damagedSlots(context, name, repository) },
          { name: `keys of projects in target ${name}`, find: () => damagedKeys(name, repository) },
        ],
  )
}

async function* damagedSlots(
  { config }: FsckContext,
  name: string,
  { target }: Repository,
): AsyncGenerator<Finding> {
  const slots = (await listKeys(target, await configuredSecrets(config))) ?? []
  for (const { id, kind } of slots.filter(({ state }) => state === 'damaged')) {
    yield {
      code: 'key-slot-damaged',
      where: `target ${name}`,
      what: `key slot ${id}`,
      explanation: `It is not what was written there${kind === null ? '' : ` (${kind})`}: its secret may not open the target any more.`,
      next: `Make another with volflow target keys add ${name} or recovery-key ${name} --replace, then: volflow target keys remove ${name} ${id}`,
    }
  }
}

async function* damagedKeys(name: string, repository: Repository): AsyncGenerator<Finding> {
  for (const domain of await listDomains(repository)) {
    const damaged = await damagedRoots(repository, domain)
    if (damaged.length === 0) continue
    const finding = {
      code: 'project-key-damaged',
      where: `target ${name}`,
      what: `key of project ${domain}`,
      explanation: `${damaged.join(' and ')} cannot be used.`,
    } as const
    if (damaged.length > 1)
      yield {
        ...finding,
        next: `Put one of them back from a copy of the target: without it, no backup of this project can be read.`,
      }
    else
      yield {
        ...finding,
        next: 'It is written anew from the other copy.',
        mend: { needs: 'repair', run: () => repairRoot(repository, domain) },
      }
  }
}
