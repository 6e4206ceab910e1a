/** The object of each kind that is damaged. */
import { parseBlobName } from '../../../backup-format/names.ts'
import { readCommitted } from '../../../backup-format/record.ts'
import { createOrOpenRepository } from '../../../backup-format/repository.ts'
import { DOMAIN, keyring } from '../fixtures.ts'
import { MemoryTarget } from '../memory-target.ts'
import { keysOfRecord } from '../reachable.ts'
import type { Victim } from './damages.ts'
import { OTHER_DOMAIN, type World } from './world.ts'

export const KINDS = [
  'chunk',
  'index page',
  'record',
  'journal page',
  'state',
  'repo.json',
  'condemned list',
  'key slot',
  'project key',
  'marker',
] as const

export type Kind = (typeof KINDS)[number]

export async function victimsOf({ objects, earlier }: World): Promise<Record<Kind, Victim>> {
  const repository = await createOrOpenRepository(new MemoryTarget(new Map(objects)), keyring())
  const keysOf = async (backupId: string) =>
    keysOfRecord(repository, await readCommitted(repository, DOMAIN, backupId))
  const [victims, neighbours] = [await keysOf('victim'), await keysOf('neighbour')]
  const gone = [...earlier.keys()].filter((key) => !objects.has(key))
  const present = (part: string) => [...objects.keys()].filter((key) => key.includes(part))
  const among = (keys: readonly string[], part: string) => keys.find((key) => key.includes(part)) ?? ''
  const blob = (folder: string) => {
    const key = among(victims, folder)
    return {
      ...{ key, other: among(neighbours, folder), copyTo: nextEpoch(key) },
      replayed: among(gone, `d/${DOMAIN}${folder}`),
    }
  }
  const numbered = (prefix: string, part: string) => {
    const keys = present(prefix).toSorted((a, b) => numberOf(a) - numberOf(b))
    const [other = '', key = ''] = keys
    return { key, other, copyTo: key.replace(/\d+$/, String(keys.length)), replayed: among(gone, part) }
  }
  const markers = present('/q/')
  const slots = present('keys/')
  const isRecovery = (key: string) => objects.get(key)?.includes('"kind":"recovery-key"') === true
  return {
    chunk: blob('/c/'),
    'index page': blob('/s/'),
    record: {
      ...{ key: `d/${DOMAIN}/r/victim`, other: `d/${DOMAIN}/r/neighbour` },
      ...{ copyTo: `d/${DOMAIN}/r/copy`, replayed: `d/${DOMAIN}/r/victim` },
    },
    'journal page': numbered(`d/${DOMAIN}/j/open/`, `d/${DOMAIN}/j/blocker/`),
    state: { key: 'state', replayed: 'state' },
    'repo.json': { key: 'repo.json' },
    'condemned list': numbered('gc/', 'gc/'),
    'key slot': {
      ...{ key: slots.find(isRecovery) ?? '', other: slots.find((key) => !isRecovery(key)) ?? '' },
      ...{ copyTo: 'keys/ffffffffffffffff', replayed: among(gone, 'keys/') },
    },
    marker: {
      ...{ key: markers[0] ?? '', other: markers[1] ?? '', replayed: among(gone, '/q/') },
      copyTo: `d/${DOMAIN}/q/c-${among(victims, '/c/').split('/').at(-1)}`,
    },
    'project key': { key: `domains/${DOMAIN}`, other: `domains/${OTHER_DOMAIN}`, copyTo: 'domains/copy' },
  }
}

function nextEpoch(key: string): string {
  const name = key.slice(key.lastIndexOf('/') + 1)
  return key.replace(name, `${name.split('.')[0]}.${(parseBlobName(name)?.epoch ?? 0) + 1}`)
}

function numberOf(key: string): number {
  return Number(/-(\d+)$/.exec(key)?.[1])
}
