/** Markers of damaged objects that no backup needs any more. */
import { DriverError } from '../domain/errors.ts'
import { pageRef, readPage } from './blob.ts'
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
  await eachRecord(
    repository,
    domainName,
    async ({ value }) => {
      if (value.state === 'committed')
        await findNeeded(repository, domain, value.pages ?? [], quarantined, needed)
    },
    signal,
  )
  for (const kind of ['chunk', 'page'] as const) {
    for (const [id, epochs] of quarantined[kind]) {
      for (const epoch of epochs) {
        const ref = { id, epoch }
        if (!needed.has(nameOf(kind, ref))) await removeMarker(repository, domainName, { kind, ref })
      }
    }
  }
}

async function findNeeded(
  repository: Repository,
  domain: Domain,
  pages: readonly (string | null)[],
  quarantined: Quarantined,
  needed: Set<string>,
): Promise<void> {
  for (const name of pages) {
    if (name === null) continue
    const ref = pageRef(domain, name)
    if (isQuarantined(quarantined, 'page', ref)) needed.add(nameOf('page', ref))
    for (const entry of entriesOf(await readUnlessDamaged(repository, domain, name)))
      if (entry !== undefined && isQuarantined(quarantined, 'chunk', entry))
        needed.add(nameOf('chunk', entry))
  }
}

async function readUnlessDamaged(repository: Repository, domain: Domain, name: string): Promise<Buffer> {
  try {
    return await readPage(repository, domain, name)
  } catch (error) {
    if (error instanceof DriverError && error.kind === 'corrupt') return Buffer.alloc(0)
    throw error
  }
}

function nameOf(kind: string, { id, epoch }: { id: string; epoch: number }): string {
  return `${kind} ${id}.${epoch}`
}
