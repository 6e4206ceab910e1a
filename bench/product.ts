/** volflow as a contender: operations from request to end, and what they cost. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Connection } from '@temporalio/client'
import {
  type Installation,
  type InstallationOptions,
  type ServiceName,
  startInstallation,
  type Target,
} from '../scripts/demo/installation.ts'
import { type EventLoopWatch, watchEventLoop } from './event-loop.ts'
import { build } from '../scripts/build.ts'
import type { Usage } from './peers/run-peer.ts'
import { secondsOf } from './contest.ts'
import { cpuSeconds, forgetPeakRss, peakRssBytes } from '../scripts/demo/processes.ts'
import { workflowId } from '../domain/operations.ts'
import type { CreateVolumeInput, Operation } from '../sdk/types.ts'

const START_POLL_MS = 20

/** As many movers of data as are ever started at once here. */
const DATA_CONCURRENCY = 4

export class Product implements AsyncDisposable {
  readonly #installation: Installation
  readonly #signal: AbortSignal
  readonly #eventLoop: EventLoopWatch

  constructor(installation: Installation, eventLoop: EventLoopWatch, signal: AbortSignal) {
    this.#installation = installation
    this.#eventLoop = eventLoop
    this.#signal = signal
  }

  static async start(
    folder: string,
    signal: AbortSignal,
    targets: Readonly<Record<string, Target>> = {},
    places: Pick<InstallationOptions, 'backend' | 'config'> = {},
  ): Promise<Product> {
    // As it runs in production: a process that strips types itself needs 17 MB for it, and its threads as much again.
    const eventLoop = watchEventLoop(folder)
    const installation = await startInstallation(join(folder, 'data'), targets, signal, {
      main: await build(),
      env: eventLoop.env,
      dataConcurrency: DATA_CONCURRENCY,
      ...places,
    })
    return new Product(installation, eventLoop, signal)
  }

  get client() {
    return this.#installation.client
  }

  /** As a driver opens it; undefined: files. */
  get backend() {
    return this.#installation.backend
  }

  get apiUrl(): string {
    return this.#installation.apiUrl
  }

  /** Waits as the CLI does. Throws where the operation did not succeed. */
  async finish({ id }: Operation): Promise<Operation> {
    const ended = await this.client.waitForOperation(id, { signal: this.#signal })
    if (ended.state === 'succeeded') return ended
    throw new Error(`Expected ${ended.kind} to succeed, got ${ended.state}: ${ended.error?.message}`)
  }

  async makeVolume(input: CreateVolumeInput): Promise<{ volumeId: string; operation: Operation }> {
    const { volume, operation } = await this.client.createVolume(input)
    return { volumeId: volume?.id ?? '', operation: await this.finish(operation) }
  }

  async deleteVolume(volumeId: string): Promise<void> {
    await this.finish((await this.client.deleteVolume(volumeId)).operation)
  }

  async uploadImage(diskFormat: 'raw' | 'qcow2', bytes: Blob): Promise<string> {
    const { id } = await this.client.createImage({ diskFormat })
    await this.finish((await this.client.uploadImage(id, bytes, { signal: this.#signal })).operation)
    return id
  }

  /** What the work costs the data worker and its children, and how late its main thread was, 99 times of 100. */
  async measure(work: () => Promise<unknown>): Promise<Usage & { readonly loopP99Ms: number }> {
    const pid = await this.pidOf('data-worker')
    await forgetPeakRss(pid)
    await this.#eventLoop.read(pid)
    const cpuBefore = (await cpuSeconds(pid)) ?? 0
    const seconds = await secondsOf(work)
    return {
      seconds,
      cpuSeconds: ((await cpuSeconds(pid)) ?? 0) - cpuBefore,
      peakRssBytes: (await peakRssBytes(pid)) ?? 0,
      loopP99Ms: await this.#eventLoop.read(pid),
    }
  }

  /** Of a process that is up; waits while it is being started again. */
  async pidOf(service: ServiceName): Promise<number> {
    for (;;) {
      this.#signal.throwIfAborted()
      const pid = await this.#installation.pidOf(service)
      if (pid !== undefined) return pid
      await sleep(START_POLL_MS)
    }
  }

  /** How long one activity of an operation ran, from its history. */
  async activitySeconds({ kind, id }: Operation, activity: string): Promise<number> {
    const connection = await Connection.connect({ address: this.#installation.temporalAddress })
    try {
      const handle = new Client({ connection }).workflow.getHandle(workflowId(kind, id))
      const events = (await handle.fetchHistory()).events ?? []
      const scheduled = events.find(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
      )?.eventId
      const ofActivity = (attributes: { scheduledEventId?: unknown } | null | undefined) =>
        attributes != null && String(attributes.scheduledEventId) === String(scheduled)
      const started = events.find((event) => ofActivity(event.activityTaskStartedEventAttributes))
      const ended = events.find((event) => ofActivity(event.activityTaskCompletedEventAttributes))
      return seconds(ended?.eventTime) - seconds(started?.eventTime)
    } finally {
      await connection.close()
    }
  }

  /** The peak of each of our processes so far, in MB. */
  async peakRssMb(): Promise<Record<string, number>> {
    const installation = this.#installation
    const pids = {
      up: installation.pid,
      api: await installation.pidOf('api'),
      control: await installation.pidOf('control-worker'),
      data: await installation.pidOf('data-worker'),
    }
    const peaks = Object.entries(pids).map(async ([name, id]) => [
      name,
      ((await peakRssBytes(id ?? 0)) ?? 0) / 1_000_000,
    ])
    return Object.fromEntries(await Promise.all(peaks))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#installation.stop()
  }
}

function seconds(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) + (time?.nanos ?? 0) / 1e9
}
