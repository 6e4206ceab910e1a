/** One installation in which all kinds of operations are met by one ending. */
import { mkdirSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import type { VolflowClient } from '../../../sdk/client.ts'
import type { Operation } from '../../../sdk/types.ts'
import type { CheckedInstallation } from '../../checker/installation.ts'
import { Installation, type InstallationOptions } from '../installation.ts'
import { MiB, until } from '../steps.ts'
import { CASES, type RequestedKind } from './operations.ts'
import { makeStock, type Stock } from './stock.ts'
import type { Storage } from './storage.ts'

const HELD_CALLS = new URL('../../faults/held-calls.ts', import.meta.url).href
const TARGETS = {
  local: { driver: 'directory', path: 'backups' },
  far: { driver: 'directory', path: 'far/backups' },
}
/** All at the same time: those that are held would keep the slots of the others. */
const CONCURRENCY = 16
/** Of a backend, shared by all that move bytes there: each moves its first piece, and then waits. */
const HELD_RATE_BYTES = MiB
/** For whatever takes seconds on a machine that has nothing else to do. */
export const PATIENCE_MS = 120_000

/** The API that is asked shares the machine with what is waited for. */
export const LOOK_AGAIN_MS = 100

type Service = Parameters<Installation['servicePid']>[0]

export class Scene implements AsyncDisposable {
  readonly installation: Installation
  readonly storage: Storage
  readonly stock: Stock
  readonly kinds: readonly RequestedKind[]
  /** Kind -> the operation as it was accepted. */
  readonly started = new Map<RequestedKind, Operation>()
  /** Kind -> what the ending found on its way, and should not be. */
  readonly problems = new Map<RequestedKind, string[]>()
  /** When the last thing that was away, held or paused had come back. */
  returnedAtMs = 0

  private constructor(
    places: { readonly installation: Installation; readonly storage: Storage },
    stock: Stock,
    kinds: readonly RequestedKind[],
  ) {
    this.installation = places.installation
    this.storage = places.storage
    this.stock = stock
    this.kinds = kinds
  }

  static async open(
    kinds: readonly RequestedKind[],
    storage: Storage,
    options: InstallationOptions,
  ): Promise<Scene> {
    const installation = await Installation.start({
      ...options,
      config: {
        backends: storage.disks.backends,
        targets: TARGETS,
        stores: storage.stores,
        cinderTargets: { cinder: { driver: 'directory', path: 'cinder' } },
        workers: { dataConcurrency: CONCURRENCY, callConcurrency: CONCURRENCY },
      },
      // Nobody makes Cinder's folder but Cinder.
      prepare: (dataFolder) => {
        mkdirSync(join(dataFolder, 'cinder'), { recursive: true })
        return options.prepare?.(dataFolder) ?? (() => undefined)
      },
      env: { NODE_OPTIONS: `--import ${HELD_CALLS}` },
    })
    try {
      return new Scene({ installation, storage }, await makeStock(installation), kinds)
    } catch (error) {
      await installation[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]()
  }

  get client(): VolflowClient {
    return this.installation.client
  }

  /** It moves bytes here, at the rate of its backend. */
  moves(kind: RequestedKind): boolean {
    const { moves, byCluster } = CASES[kind]
    return moves === true && !(byCluster === true && this.storage.isCluster)
  }

  /** Requests them one after the other; each was answered with 202. */
  async start(kinds: readonly RequestedKind[] = this.kinds): Promise<void> {
    for (const kind of kinds) this.started.set(kind, (await CASES[kind].start(this.stock)).operation)
  }

  /** Starts them all and returns when each is in the middle of its work: movers of their bytes, the others of their first call. */
  async startHeld(): Promise<void> {
    await this.startHeldMovers()
    await writeFile(this.#holdFile, '')
    const others = this.kinds.filter((kind) => !this.moves(kind))
    await this.start(others)
    await this.each('is in its call', ({ attempt }) => attempt > 0, others)
  }

  async startHeldMovers(): Promise<void> {
    await this.#limitRates(HELD_RATE_BYTES)
    const movers = this.kinds.filter((kind) => this.moves(kind))
    await this.start(movers)
    await this.each('moves bytes', ({ phase }) => phase !== null, movers)
  }

  /** Whatever `startHeld` and pauses hold may go on. */
  async letGo(): Promise<void> {
    await rm(this.#holdFile, { force: true })
    await this.#limitRates(null)
    await this.client.changeProject({ paused: false })
    this.returnedAtMs = Date.now()
  }

  async #limitRates(rateLimitBytes: number | null): Promise<void> {
    for (const name of Object.keys(this.storage.disks.backends))
      await this.client.changeBackend(name, { rateLimitBytes })
  }

  get #holdFile(): string {
    return join(this.installation.folder, 'hold')
  }

  /** Every operation that was started, as it is now. */
  async now(): Promise<Map<RequestedKind, Operation>> {
    const { items } = await this.client.listOperations({ limit: 1000 })
    const byId = new Map(items.map((operation) => [operation.id, operation]))
    return new Map([...this.started].map(([kind, { id }]) => [kind, byId.get(id) as Operation]))
  }

  /** Waits until each of these is so. Which is not, and how it is instead, is in the error. */
  async each(
    what: string,
    isSo: (operation: Operation) => boolean,
    kinds: readonly RequestedKind[] = this.kinds,
    timeoutMs = PATIENCE_MS,
  ): Promise<void> {
    let left: Operation[] = []
    const look = async () => {
      const now = await this.now()
      left = kinds.flatMap((kind) => now.get(kind) ?? []).filter((operation) => !isSo(operation))
      return left.length === 0
    }
    await until(`each ${what}`, look, timeoutMs, LOOK_AGAIN_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}; not so: ${JSON.stringify(left)}`)
    })
  }

  /** Does it for each, and expects it to succeed, or records the problem with the kind. */
  async forEach(
    kinds: readonly RequestedKind[],
    step: (operation: Operation, kind: RequestedKind) => Promise<void>,
  ): Promise<void> {
    for (const kind of kinds) {
      const operation = this.started.get(kind)
      if (operation === undefined) throw new Error(`Expected ${kind} to have been started`)
      await step(operation, kind).catch((error: unknown) => this.problem(kind, String(error)))
    }
  }

  problem(kind: RequestedKind, what: string): void {
    this.problems.set(kind, [...(this.problems.get(kind) ?? []), what])
  }

  /** Answers how to let it go on. */
  async freeze(service: Service): Promise<() => void> {
    const pid = await this.installation.servicePid(service)
    process.kill(pid, 'SIGSTOP')
    return () => void process.kill(pid, 'SIGCONT')
  }

  /** -9; its supervisor starts it again. Returns when everything answers. */
  async kill(service: Service): Promise<void> {
    const pid = await this.installation.servicePid(service)
    process.kill(pid, 'SIGKILL')
    await until(
      `another ${service}`,
      async () => (await this.installation.servicePid(service).catch(() => pid)) !== pid,
      PATIENCE_MS,
    )
    await this.ready()
  }

  async ready(): Promise<void> {
    const isReady = () =>
      fetch(`${this.installation.baseUrl}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until('everything answers', isReady, PATIENCE_MS)
  }

  async withTemporal(use: (client: Client) => Promise<void>): Promise<void> {
    const connection = await Connection.connect({ address: this.installation.temporalAddress })
    try {
      await use(new Client({ connection }))
    } finally {
      await connection.close()
    }
  }

  inData(...parts: string[]): string {
    return join(this.installation.dataFolder, ...parts)
  }

  checked(): CheckedInstallation {
    const { installation, storage } = this
    const checked = installation.checked()
    const far = { kind: 'directory', path: this.inData('far/backups') } as const
    const cinderTargets = { cinder: { kind: 'directory', path: this.inData('cinder') } } as const
    return {
      ...checked,
      ...storage.disks.checked(installation),
      ...storage.checkedStores(installation),
      targets: { ...checked.targets, far },
      cinderTargets,
    }
  }
}
