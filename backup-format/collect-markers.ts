/** Markers of damaged objects that no backup needs any more. */
import { pageRef, readUnlessDamaged } from './blob.ts'
import { entriesOf } from './entry.ts'
import { isQuarantined, type Quarantined, readQuarantined, removeMarker } from './quarantine.ts'
import { eachRecord } from './record.ts'
import type { Domain, Repository } from './repository.ts'

/** There are hardly ever any: then this is one list. */
export async function removeMarkers(
  repository: Repository,
  domainName: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const quarantined = await readQuarantined(repository, domainName)
  if (quarantined.chunk.size + quarantined.page.size === 0) return
  const domain = await repository.domain(domainName)
  const needed = new Set<string>()
  let isComplete = true
  await eachRecord(
    repository,
    domainName,
    async ({ value }) => {
      if (value.state !== 'committed') return
      // Several records at the same time: `&&=` would forget what another one found while this one was awaited.
      if (!(await findNeeded(repository, domain, value.pages ?? [], quarantined, needed))) isComplete = false
    },
    signal,
  )
  // What an unreadable page needs is not known: then no marker is certainly needed by nobody.
  if (!isComplete) return
  for (const kind of ['chunk', 'page'] as const) {
    for (const [id, epochs] of quarantined[kind]) {
      for (const epoch of epochs) {
        const ref = { id, epoch }
        if (!needed.has(nameOf(kind, ref))) await removeMarker(repository, domainName, { kind, ref })
      }
    }
  }
}

/** False: a page could not be read. */
async function findNeeded(
  repository: Repository,
  domain: Domain,
  pages: readonly (string | null)[],
  quarantined: Quarantined,
  needed: Set<string>,
): Promise<boolean> {
  for (const name of pages) {
    if (name === null) continue
    const ref = pageRef(domain, name)
    if (isQuarantined(quarantined, 'page', ref)) needed.add(nameOf('page', ref))
    const page = await readUnlessDamaged(repository, domain, name)
    if (page === 'damaged') return false
    for (const entry of entriesOf(page))
      if (entry !== undefined && isQuarantined(quarantined, 'chunk', entry))
        needed.add(nameOf('chunk', entry))
  }
  return true
}

function nameOf(kind: string, { id, epoch }: { id: string; epoch: number }): string {
  return `${kind} ${id}.${epoch}`
}
