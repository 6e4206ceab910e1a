/** Where things are in a backend's directory. docs/file-backend.md has the picture. */
import { join } from 'node:path'
import type { SnapshotRef } from '../driver.ts'
import { checkedId, isId } from './ids.ts'

export interface Layout {
  /** One directory per volume: its layers. */
  readonly volumes: string
  /** One directory per snapshot: its layers. */
  readonly snapshots: string
  /** Second names of layers that were merged into the one below them, until no directory has them any more. */
  readonly merged: string
  /** Raw files that are no volumes, or not yet: whoever runs the service puts them there, and finds there what was given up. */
  readonly unmanaged: string
  /** What is being made or removed. Nothing is ever read from here. */
  readonly scratch: string
}

export function layoutOf(path: string): Layout {
  return {
    volumes: join(path, 'volumes'),
    snapshots: join(path, 'snapshots'),
    merged: join(path, 'merged'),
    unmanaged: join(path, 'unmanaged'),
    scratch: join(path, 'scratch'),
  }
}

export function volumeDirectory(layout: Layout, volumeId: string): string {
  return join(layout.volumes, checkedId('volume', volumeId))
}

export function snapshotDirectory(layout: Layout, { volumeId, snapshotId }: SnapshotRef): string {
  return join(layout.snapshots, `${checkedId('volume', volumeId)}.${checkedId('snapshot', snapshotId)}`)
}

/** The opposite of snapshotDirectory's last part; undefined for a foreign file. */
export function snapshotOf(name: string): SnapshotRef | undefined {
  const [volumeId = '', snapshotId = '', ...rest] = name.split('.')
  return isId(volumeId) && isId(snapshotId) && rest.length === 0 ? { volumeId, snapshotId } : undefined
}
