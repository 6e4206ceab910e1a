import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { VolumeDriver } from '../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import type { RbdPlaceToCheck } from '../checker/installation.ts'
import { rbdSha256 } from '../checker/rbd-backend.ts'
import { write } from '../drivers/volumes/contract-steps.ts'
import { asCephAdmin, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until } from './steps.ts'

const SIZE_BYTES = 64 * MiB

/** An installation with a backend and a target in one cluster. */
export class PoolScene implements AsyncDisposable {
  readonly installation: Installation
  readonly #place: RbdPlaceToCheck
  readonly #targetPlace: RbdPlaceToCheck
  readonly #driver: VolumeDriver

  private constructor(
    installation: Installation,
    { place, targetPlace }: { place: RbdPlaceToCheck; targetPlace: RbdPlaceToCheck },
    driver: VolumeDriver,
  ) {
    this.installation = installation
    this.#place = place
    this.#targetPlace = targetPlace
    this.#driver = driver
  }

  static async start(): Promise<PoolScene> {
    const [rbd, rbdTarget] = [await newRbdPlace(), await newRbdPlace('backups')]
    const ownConfFile = join(await tempDir(), 'rbd.conf')
    const driver = await openVolumeDriver({ driver: 'rbd', ...rbd, ownConfFile })
    return new PoolScene(
      await Installation.start({ rbd, rbdTarget }),
      { place: rbd, targetPlace: rbdTarget },
      driver,
    )
  }

  get client() {
    return this.installation.client
  }

  async newVolume(sizeBytes = SIZE_BYTES): Promise<string> {
    const { resourceId } = await ended(
      this.installation,
      this.client.createVolume({ sizeBytes, backend: 'rbd' }),
    )
    return resourceId
  }

  /** Answers the hash of what it is then. */
  async change(volumeId: string, pattern: Parameters<typeof write>[2]): Promise<string> {
    await write(this.#driver, volumeId, pattern)
    return this.hash(volumeId)
  }

  /** What Cinder's Ceph driver would have left: another volume's series with one backup, which has what ours has. */
  async putCinders(ours: { volumeId: string; backupId: string }): Promise<string> {
    const { pool, namespace } = this.#targetPlace
    const [volumeId, backupId] = [randomUUID(), randomUUID()]
    const image = `${pool}/${namespace}/volume-${volumeId}.backup.${backupId}`
    const from = `${pool}/${namespace}/backups-${ours.volumeId}@backup-${ours.backupId}`
    await asCephAdmin('rbd', 'cp', '--no-progress', from, image)
    await asCephAdmin(
      'rbd',
      'snap',
      'create',
      '--no-progress',
      `${image}@backup.${backupId}.snap.1700000000.25`,
    )
    return backupId
  }

  hash(volumeId: string): Promise<string> {
    return rbdSha256(this.#place, `volume-${volumeId}`)
  }

  async begun(started: Promise<{ operation: Operation }>): Promise<Operation> {
    const { operation } = await started
    await until('some of it is moved', async () => {
      return (await this.client.showOperation(operation.id)).movedBytes > 8 * MiB
    })
    return operation
  }

  /** The key of the cluster's user must be nowhere but in its own file. */
  async expectClean(): Promise<void> {
    const { keyringFile } = await sharedCeph()
    const key = /key = (\S+)/.exec(await readFile(keyringFile, 'utf8'))?.[1] ?? ''
    await expectClean(this.installation.checked({ secrets: { 'the key of the Ceph user': key } }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]()
  }
}
