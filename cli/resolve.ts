import { isUuid } from '../domain/identifiers.ts'
import { CliError, EXIT } from './exit-codes.ts'
import type { Session } from './session.ts'
import { printable } from './text.ts'

interface Named {
  readonly id: string
  readonly name: string | null
  readonly status?: string
  readonly createdAt: string
}

export type ResourceNoun = 'image' | 'volume' | 'snapshot' | 'backup' | 'schedule' | 'webhook'

/** More than this many of one name are not listed. */
const CANDIDATES_MAX = 20

/** An id as it is, a name as the id of the one resource that has it. Throws CliError. */
export async function resolve({ client }: Session, noun: ResourceNoun, idOrName: string): Promise<string> {
  if (isUuid(idOrName)) return idOrName
  const lists: Record<
    ResourceNoun,
    (filter: { name: string; limit: number }) => Promise<{ items: Named[] }>
  > = {
    image: (filter) => client.listImages(filter),
    volume: (filter) => client.listVolumes(filter),
    snapshot: (filter) => client.listSnapshots(filter),
    backup: (filter) => client.listBackups(filter),
    schedule: (filter) => client.schedules.list(filter),
    webhook: (filter) => client.webhooks.list(filter),
  }
  const { items } = await lists[noun]({ name: idOrName, limit: CANDIDATES_MAX })
  const [found] = items
  if (found === undefined) {
    const message = `There is no ${noun} with the name or id "${printable(idOrName)}". See: volflow ${noun} list`
    throw new CliError(EXIT.notFound, `${noun}NotFound`, message)
  }
  if (items.length === 1) return found.id
  const candidates = items.map(({ id, status, createdAt }) =>
    ['', id, status, createdAt].filter((part) => part !== undefined).join('  '),
  )
  const message = `Several ${noun}s have the name "${printable(idOrName)}"; use the id of one:\n${candidates.join('\n')}`
  throw new CliError(EXIT.usage, 'ambiguousName', message)
}
