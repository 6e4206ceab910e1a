/** What is expected of each damage to each kind of object: by what it comes to light, or why it does no harm. */
import type { Damage } from './damages.ts'
import type { Probe } from './probes.ts'
import type { Kind } from './victims.ts'

export type Cell =
  | { readonly found: readonly Probe[] }
  | { readonly harmless: string }
  | { readonly impossible: string }

interface Row {
  readonly cells: Record<Damage, Cell>
  /** What a person does about it. */
  readonly repair: string
}

const found = (...probes: Probe[]): Cell => ({ found: probes })
const harmless = (reason: string): Cell => ({ harmless: reason })
const impossible = (reason: string): Cell => ({ impossible: reason })

const UNREFERENCED = harmless('Nothing refers to it; the next collection removes it.')
const ONE_NAME = impossible('There is one, under one name; nobody looks at another.')
const NAME_COUNTS = harmless('Only its name counts.')
const READ_FIRST = harmless(
  'What it names is read before it is relied on, and stored anew with the same bytes where they come again.',
)
const NEVER_CHANGES = impossible('It never changes: an older one is the same.')

export const MATRIX: Record<Kind, Row> = {
  chunk: {
    cells: {
      ...{ flip: found('restore'), truncate: found('restore'), delete: found('restore') },
      ...{ swap: found('restore', 'collect'), append: found('restore') },
      ...{ duplicate: UNREFERENCED, replay: UNREFERENCED },
    },
    repair:
      'Verify the backup, with `--heal-from` its copy if there is one: that, or the next backup of a volume that still has the bytes, stores it anew. Else put it back from a copy of the target, or delete the backups that need the chunk.',
  },
  'index page': {
    cells: {
      ...{ flip: found('restore', 'collect'), truncate: found('restore', 'collect') },
      ...{ delete: found('restore', 'collect'), swap: found('restore', 'collect') },
      ...{ duplicate: UNREFERENCED, replay: UNREFERENCED, append: found('restore', 'collect') },
    },
    repair:
      'As for a chunk. Collections delete nothing until it is healed, or the backups that need it are deleted.',
  },
  record: {
    cells: {
      ...{ flip: found('restore', 'collect'), truncate: found('restore', 'collect') },
      delete: found('restore'),
      ...{ swap: found('restore', 'collect'), duplicate: found('collect'), replay: found('restore') },
      append: found('restore', 'collect'),
    },
    repair:
      'Put it back from a copy of the target before the next collection: without a committed record, what the backup needs is removed. A copy under a wrong name is to be deleted.',
  },
  'journal page': {
    cells: {
      ...{ flip: found('backup'), truncate: found('backup') },
      delete: harmless('The upload repeats what the page and those after it said.'),
      ...{ swap: found('backup'), duplicate: found('backup') },
      replay: harmless('Each attempt has a journal of its own, and the record names the one that counts.'),
      append: found('backup'),
    },
    repair: 'Cancel the backup and begin it again.',
  },
  state: {
    cells: {
      ...{ flip: found('backup', 'collect'), truncate: found('backup', 'collect') },
      ...{ delete: found('backup', 'collect'), swap: found('backup', 'collect'), duplicate: ONE_NAME },
      ...{ replay: found('backup', 'collect'), append: found('backup', 'collect') },
    },
    repair: 'Restores go on. Put it back from a copy of the target that is not older than the newest record.',
  },
  'repo.json': {
    cells: {
      ...{ flip: found('open'), truncate: found('open'), delete: found('open'), swap: found('open') },
      ...{ duplicate: ONE_NAME, replay: NEVER_CHANGES, append: found('open') },
    },
    repair:
      'Put it back from any copy. Or write it anew: the repository id is in every key slot, the other two numbers are 4194304 and 1024, and the seal is made with the master key (docs/backup-format.md).',
  },
  'condemned list': {
    cells: {
      ...{ flip: found('backup', 'collect'), truncate: found('backup', 'collect') },
      ...{ delete: found('backup'), swap: found('backup', 'collect') },
      duplicate: harmless('The state does not name it; the end of the collection removes it.'),
      replay: harmless('The state does not name it; the end of the collection removes it.'),
      append: found('backup', 'collect'),
    },
    repair: 'Delete it, then collect: what it named stays until the collection after that.',
  },
  'key slot': {
    cells: {
      ...{ flip: found('recovery', 'fsck'), truncate: found('recovery', 'fsck'), delete: found('recovery') },
      ...{ swap: found('open'), duplicate: found('fsck') },
      replay: harmless(
        'A slot that was removed opens again, with its old secret. The list shows it. Who kept both could have kept the master key.',
      ),
      append: found('recovery', 'fsck'),
    },
    repair:
      'Any other slot opens everything. Open it with that one, add the key again, remove the damaged slot.',
  },
  'project key': {
    cells: {
      ...{ flip: found('fsck'), truncate: found('fsck'), delete: found('fsck'), swap: found('fsck') },
      duplicate: harmless('It opens under its own name alone, and no project has the other.'),
      ...{ replay: NEVER_CHANGES, append: found('fsck') },
    },
    repair:
      'The second copy is used. `volflow fsck --repair` writes the damaged one anew; so does the next backup where it is missing.',
  },
  marker: {
    cells: {
      ...{ flip: NAME_COUNTS, truncate: NAME_COUNTS, swap: NAME_COUNTS, append: NAME_COUNTS },
      delete: harmless('The next verification that finds the damage leaves it again.'),
      ...{ duplicate: READ_FIRST, replay: READ_FIRST },
    },
    repair: 'Verify the backups: markers come and go with what is found.',
  },
}
