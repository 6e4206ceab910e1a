/** What the steps of the demo have in common: starting operations, following them, and comparing what they made. */
import { join } from 'node:path'
import type { Blockdev, BlockDevice, OpenDevice } from '../../block-io/device.ts'
import { sha256OfDevice } from '../../block-io/hash.ts'
import { progressOf } from '../../cli/follow.ts'
import { openImageStore } from '../../drivers/images/registry.ts'
import type { VolumeDriver } from '../../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import type { Operation } from '../../sdk/types.ts'
import { useAsFile } from './guest-disk.ts'
import type { UsedInstallation } from './installation.ts'
import type { Step } from './report.ts'
import type { Show } from './show.ts'

export interface Moved {
  readonly path: string
  readonly bytesMoved: number
}

export interface Check {
  readonly expected: string
  readonly actual: string
}

export class Stage {
  readonly installation: UsedInstallation
  readonly show: Show
  readonly signal: AbortSignal
  /** For files of the demo itself. */
  readonly folder: string
  readonly steps: Step[] = []

  constructor(options: { installation: UsedInstallation; show: Show; signal: AbortSignal; folder: string }) {
    this.installation = options.installation
    this.show = options.show
    this.signal = options.signal
    this.folder = options.folder
  }

  /** Runs one step and shows it; the time counts the work, not the check. */
  async step<T extends Moved>(
    name: string,
    work: () => Promise<T>,
    check?: (moved: T) => Promise<Check>,
  ): Promise<T> {
    const startedMs = performance.now()
    const moved = await work()
    const seconds = (performance.now() - startedMs) / 1000
    const checked = await check?.(moved)
    const step = {
      name,
      path: moved.path,
      bytesMoved: moved.bytesMoved,
      seconds,
      sha256: checked?.actual ?? null,
      identical: checked === undefined ? null : checked.actual === checked.expected,
    }
    this.steps.push(step)
    this.show.step(step)
    return moved
  }

  /** Follows an operation to its end. Throws where that is no success. */
  async follow(operation: Operation, onChange?: (operation: Operation) => void): Promise<Moved> {
    const ended = await this.installation.client.waitForOperation(operation.id, {
      signal: this.signal,
      onChange: (changed) => {
        if (changed.finishedAt === null && changed.totalBytes > 0) this.show.progress(progressOf(changed))
        onChange?.(changed)
      },
    })
    const { kind, state, error, result, movedBytes } = ended
    if (state !== 'succeeded') {
      throw new Error(`Expected ${kind} to succeed, got ${state}: ${error?.message ?? 'no reason'}`)
    }
    return { path: String(result?.path ?? '-'), bytesMoved: Number(result?.movedBytes ?? movedBytes) }
  }

  /** SHA-256 of the disk inside an uploaded qcow2. */
  async hashImage(imageId: string, virtualSizeBytes: number): Promise<string> {
    const store = await openImageStore({ driver: 'file', path: join(this.installation.dataFolder, 'images') })
    const image = await store.openImage(imageId, 'qcow2')
    return this.#hash({ ...image, sizeBytes: virtualSizeBytes })
  }

  /** SHA-256 of all that is in a volume. */
  async hashVolume(volumeId: string): Promise<string> {
    const driver = await this.#driver()
    return this.#hash(await driver.openVolume({ volumeId, access: 'read' }))
  }

  async hashSnapshot(snapshot: { volumeId: string; snapshotId: string }): Promise<string> {
    const driver = await this.#driver()
    return this.#hash(await driver.openSnapshot(snapshot))
  }

  /** A volume's bytes as a file, for whoever plays the guest; what is changed there is changed in the volume. */
  async useVolume<T>(volumeId: string, use: (path: string) => Promise<T>): Promise<T> {
    const driver = await this.#driver()
    await using opened = disposable(await driver.openVolume({ volumeId, access: 'write' }))
    return await useAsFile(opened.device, { folder: this.folder, signal: this.signal }, use)
  }

  /** What a guest opens. */
  async volumeBlockdev(volumeId: string): Promise<Blockdev> {
    const driver = await this.#driver()
    await using opened = disposable(await driver.openVolume({ volumeId, access: 'read' }))
    return opened.device.blockdev
  }

  async #hash(device: OpenDevice): Promise<string> {
    await using opened = disposable(device)
    return await sha256OfDevice(opened.device, { signal: this.signal, socketDirectory: this.folder })
  }

  /** The driver holds nothing open: it sees the same as the one in the worker. */
  #driver(): Promise<VolumeDriver> {
    const { backend, dataFolder } = this.installation
    const config = backend ?? { driver: 'file', path: join(dataFolder, 'volumes') }
    return openVolumeDriver(config, this.folder)
  }
}

function disposable(device: OpenDevice): { device: BlockDevice; [Symbol.asyncDispose](): Promise<void> } {
  return { device, [Symbol.asyncDispose]: () => device.close() }
}
