/** The backends of a journey, `here` and `there`, and what is in their volumes, seen past every API of ours. */
import { join } from 'node:path'
import { execa } from 'execa'
import type { CheckedInstallation, RbdPlaceToCheck } from '../../checker/installation.ts'
import { imageSpec, rbd, rbdSha256 } from '../../checker/rbd-backend.ts'
import { volumeSha256 } from '../../checker/volume-sha256.ts'
import type { Installation } from '../installation.ts'

export type Side = 'here' | 'there'

export interface Disks {
  /** Of volflow.yaml. */
  readonly backends: Readonly<Record<Side, object>>
  /** What a connection to a volume has in it. */
  readonly connection: string
  /** Under which the backend keeps a volume that was given up. */
  sourceName(volumeId: string): string
  /** Of a volume `here`. */
  sizeBytes(installation: Installation, volumeId: string): Promise<number>
  volumeSha256(installation: Installation, volumeId: string, side?: Side): Promise<string>
  /** Of a snapshot `here`. */
  snapshotSha256(installation: Installation, volumeId: string, snapshotId: string): Promise<string>
  /** For the checker. */
  checked(installation: Installation): Pick<CheckedInstallation, 'backends' | 'rbdBackends'>
}

const FOLDERS = { here: 'volumes', there: 'more-volumes' }

export const FILE_DISKS: Disks = {
  backends: {
    here: { driver: 'file', path: FOLDERS.here },
    there: { driver: 'file', path: FOLDERS.there },
  },
  connection: 'blockdev',
  sourceName: (volumeId) => `${volumeId}.raw`,
  async sizeBytes(installation, volumeId) {
    const path = join(installation.volumeFolder(volumeId), '0.raw')
    const { stdout } = await execa('qemu-img', ['info', '-f', 'raw', '--output', 'json', path])
    return (JSON.parse(stdout) as { 'virtual-size': number })['virtual-size']
  },
  volumeSha256: ({ dataFolder }, volumeId, side = 'here') =>
    volumeSha256(join(dataFolder, FOLDERS[side], 'volumes', volumeId)),
  snapshotSha256: (installation, volumeId, snapshotId) =>
    volumeSha256(installation.snapshotFolder(volumeId, snapshotId)),
  checked: ({ dataFolder }) => ({
    backends: { here: join(dataFolder, FOLDERS.here), there: join(dataFolder, FOLDERS.there) },
  }),
}

export function rbdDisks(here: RbdPlaceToCheck, there: RbdPlaceToCheck): Disks {
  const places = { here, there }
  return {
    backends: { here: { driver: 'rbd', ...here }, there: { driver: 'rbd', ...there } },
    connection: `${here.pool}/${here.namespace}/volume-`,
    sourceName: (volumeId) => `unmanaged-${volumeId}`,
    async sizeBytes(_, volumeId) {
      return (await rbd<{ size: number }>(here, ['info', imageSpec(here, `volume-${volumeId}`)])).size
    },
    volumeSha256: (_, volumeId, side = 'here') => rbdSha256(places[side], `volume-${volumeId}`),
    snapshotSha256: (_, volumeId, snapshotId) => rbdSha256(here, `volume-${volumeId}@snapshot-${snapshotId}`),
    checked: () => ({ backends: {}, rbdBackends: places }),
  }
}
