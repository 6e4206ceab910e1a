/** What crashes left of deleted and aborted backups and of earlier collections. */
import { removeRecord } from './delete.ts'
import { COLLECTION_PREFIX, journalPrefix, journalsPrefix } from './names.ts'
import { eachRecord, readRecord } from './record.ts'
import { removeAll } from './remove-all.ts'
import type { Repository } from './repository.ts'

export async function removeRemains(
  repository: Repository,
  domain: string,
  epoch: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const remove = async ({
    value,
  }: {
    value: { state: string; epoch: number; domain: string; backupId: string }
  }) => {
    const isOver = value.state === 'aborted' || value.state === 'deleting'
    if (isOver && value.epoch < epoch) await removeRecord(repository, value)
  }
  await eachRecord(repository, domain, remove, signal)
  const journals = new Set<string>()
  for await (const { key } of repository.target.list(journalsPrefix(domain))) {
    journals.add(key.slice(journalsPrefix(domain).length).split('/')[0] ?? '')
  }
  for (const backupId of journals) {
    signal?.throwIfAborted()
    // A journal is younger than its record: without an open one, nobody will read it.
    const record = await readRecord(repository, domain, backupId)
    if (record?.value.state !== 'open') await removeAll(repository.target, journalPrefix(domain, backupId))
  }
}

/** Lists of this collection and of older ones that were given up; never those of a younger one. */
export async function removeLists(repository: Repository, epoch: number): Promise<void> {
  for await (const { key } of repository.target.list(COLLECTION_PREFIX)) {
    if (Number(key.split('/')[1]) <= epoch) await repository.target.delete(key)
  }
}
