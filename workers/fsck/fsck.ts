import { openConfiguredDatabase } from '../database-file.ts'
import type { Config } from '../../config/config.ts'
import { LIMITS } from '../../domain/limits.ts'
import { createTemporalClient, temporalAddress } from '../temporal-connection.ts'
import { chunkChecks } from './checks/chunks.ts'
import { cinderTargetChecks } from './checks/cinder-targets.ts'
import { hostChecks } from './checks/host.ts'
import { keyChecks } from './checks/keys.ts'
import { rbdTargetChecks } from './checks/rbd-targets.ts'
import { resourceChecks } from './checks/resources.ts'
import { rowChecks } from './checks/rows.ts'
import { targetChecks } from './checks/targets.ts'
import { thingChecks } from './checks/things.ts'
import { workflowChecks } from './checks/workflows.ts'
import { type FsckContext, openPlaces } from './context.ts'
import { type Check, type Finding, keyOf } from './finding.ts'
import { scan } from './scan.ts'

export interface FsckOptions {
  readonly repair: boolean
  readonly deleteOrphans: boolean
  /** Also looks for every chunk that a backup names. */
  readonly deep: boolean
  /** Instead of `LIMITS.fsckYoungMs` and `LIMITS.fsckOrphanMs`. */
  readonly minAgeMs?: number
  readonly progress: (phase: string, count: number) => void
}

export interface FsckResult {
  /** What is left. */
  readonly findings: readonly Finding[]
  readonly repaired: readonly Finding[]
  /** What was tried and went wrong, by finding. */
  readonly failures: ReadonlyMap<Finding, string>
  readonly truncated: boolean
}

/** Compares everything with everything. Safe while the product runs: what is on its way is no finding. */
export async function fsck(config: Config, options: FsckOptions): Promise<FsckResult> {
  const database = await openConfiguredDatabase(config)
  const client = await createTemporalClient(config)
  const places = await openPlaces(config)
  const { minAgeMs } = options
  const youngMs = minAgeMs ?? LIMITS.fsckYoungMs
  const context: FsckContext = {
    ...places,
    config,
    database,
    client,
    temporalAddress: temporalAddress(config),
    youngMs,
    isSettled: (changedAt) => changedAt === null || Date.now() - new Date(changedAt).getTime() >= youngMs,
    isOldOrphan: (changedAtMs) => Date.now() - changedAtMs >= (minAgeMs ?? LIMITS.fsckOrphanMs),
    progress: options.progress,
  }
  try {
    return await scanAndMend(checksOf(context, options.deep), options)
  } finally {
    for (const { target } of places.targets) await target.close()
    for (const { store } of places.cinderTargets) await store.close()
    await client.connection.close()
    await database.destroy()
  }
}

function checksOf(context: FsckContext, deep: boolean): Check[] {
  return [
    {
      name: 'places',
      async *find() {
        yield* context.unreachable
      },
    },
    // In the order of their repairs: nothing is released while a workflow may still be making it.
    ...workflowChecks(context),
    ...rowChecks(context),
    ...resourceChecks(context),
    ...thingChecks(context),
    ...keyChecks(context),
    ...targetChecks(context),
    ...cinderTargetChecks(context),
    ...rbdTargetChecks(context),
    ...hostChecks(context),
    ...(deep ? chunkChecks(context) : []),
  ]
}

async function scanAndMend(checks: readonly Check[], options: FsckOptions): Promise<FsckResult> {
  const { findings, truncated } = await scan(checks)
  const allowed = { repair: options.repair, 'delete-orphans': options.deleteOrphans }
  const mendable = findings.filter(({ mend }) => mend !== undefined && allowed[mend.needs])
  if (mendable.length === 0) return { findings, repaired: [], failures: new Map(), truncated }
  const failures = new Map<string, string>()
  for (const finding of mendable) {
    await finding.mend?.run().catch((error: unknown) => {
      failures.set(keyOf(finding), error instanceof Error ? error.message : String(error))
    })
  }
  const after = await scan(checks)
  const left = new Set(after.findings.map(keyOf))
  return {
    findings: after.findings,
    repaired: mendable.filter((finding) => !left.has(keyOf(finding))),
    failures: new Map(
      after.findings.flatMap((finding) => {
        const failure = failures.get(keyOf(finding))
        return failure === undefined ? [] : [[finding, failure]]
      }),
    ),
    truncated: after.truncated,
  }
}
