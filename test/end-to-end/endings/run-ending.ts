/** Plays one ending and looks at what became of every operation in it. */
import { ApiError } from '../../../sdk/errors.ts'
import type { Operation } from '../../../sdk/types.ts'
import { findViolations } from '../../checker/check.ts'
import { restoreSha256 } from '../../checker/repository/restore.ts'
import { until } from '../steps.ts'
import type { Cell, Ending } from './ending.ts'
import { CASES, type Left, REQUESTED_KINDS, type RequestedKind } from './operations.ts'
import { LOOK_AGAIN_MS, Scene } from './scene.ts'
import type { Storage } from './storage.ts'

/** What a worker does behind the end of an operation, such as a recovery that removes what was left. */
const TIDYING_MS = 60_000

export interface Report {
  /** Kind -> what is not as it should be. */
  readonly problems: ReadonlyMap<RequestedKind, readonly string[]>
  /** Kind -> milliseconds from the return of everything to its end; negative: it had ended before. */
  readonly endedAfterMs: ReadonlyMap<RequestedKind, number>
  /** What the checker found. */
  readonly violations: readonly string[]
}

export function kindsOf(ending: Ending): RequestedKind[] {
  return REQUESTED_KINDS.filter((kind) => !('none' in ending.cell(kind)))
}

export async function runEnding(
  ending: Ending,
  { kinds, storage }: { readonly kinds: readonly RequestedKind[]; readonly storage: Storage },
): Promise<Report> {
  await using scene = await Scene.open(kinds, storage, (await ending.options?.()) ?? {})
  await ending.play(scene)
  const { promisedMs } = storage
  const open = ({ finishedAt }: Operation) => finishedAt === null
  await until(
    'all have ended',
    async () => ![...(await scene.now()).values()].some(open),
    2 * promisedMs,
    LOOK_AGAIN_MS,
  ).catch(() => undefined)
  const endedAfterMs = new Map<RequestedKind, number>()
  for (const [kind, operation] of await scene.now()) {
    const afterMs = Date.parse(operation.finishedAt ?? '') - scene.returnedAtMs
    if (operation.finishedAt !== null) endedAfterMs.set(kind, afterMs)
    if (afterMs > promisedMs) scene.problem(kind, `ended ${afterMs} ms after everything was back`)
    for (const problem of await wrongEnd(scene, kind, operation, ending.cell(kind)))
      scene.problem(kind, problem)
  }
  let violations: string[] = []
  const isClean = async () => {
    violations = await findViolations(scene.checked()).catch((error: unknown) => [String(error)])
    return violations.length === 0
  }
  await until('it is clean', isClean, TIDYING_MS, TIDYING_MS / 30).catch(() => undefined)
  return { problems: scene.problems, endedAfterMs, violations }
}

async function wrongEnd(
  scene: Scene,
  kind: RequestedKind,
  operation: Operation,
  cell: Cell,
): Promise<string[]> {
  if ('none' in cell) return []
  const { state, error } = operation
  const code = error?.code
  if (state !== cell.ends || (cell.code !== undefined && code !== cell.code)) {
    return [
      `expected it to be ${cell.ends}${cell.code === undefined ? '' : ` (${cell.code})`}, got ${JSON.stringify(operation)}`,
    ]
  }
  const left = CASES[kind].leaves[cell.ends]
  const found = await leftBy(scene, operation).catch((reason: unknown) => String(reason))
  if (left === 'gone' || found === 'gone' || typeof found === 'string')
    return found === left
      ? []
      : [`expected it to leave ${JSON.stringify(left)}, got ${JSON.stringify(found)}`]
  const wrong = Object.entries(expected(scene, left)).filter(([name, value]) => found[name] !== value)
  return wrong.map(([name, value]) => `expected ${name} ${value} of what it left, got ${found[name]}`)
}

function expected(scene: Scene, { status, bytes, sizeBytes }: Left) {
  return {
    status,
    ...(sizeBytes !== undefined && { sizeBytes }),
    ...(bytes !== undefined && { sha256: scene.stock.sha256[bytes] }),
  }
}

type Found = Record<string, string | number | null>

/** The resource as the API shows it, and the hash of its bytes as they lie in their place. */
async function leftBy(scene: Scene, { resourceType, resourceId: id }: Operation): Promise<Found | 'gone'> {
  const { client, installation, storage } = scene
  try {
    switch (resourceType) {
      case 'volume': {
        const { status, sizeBytes, backend } = await client.showVolume(id)
        if (status !== 'available' && status !== 'in-use') return { status, sizeBytes }
        const side = backend === 'there' ? 'there' : 'here'
        return { status, sizeBytes, sha256: await storage.disks.volumeSha256(installation, id, side) }
      }
      case 'snapshot':
        return { status: (await client.showSnapshot(id)).status }
      case 'image': {
        const { status } = await client.showImage(id)
        if (status !== 'active') return { status }
        return { status, sha256: await storage.imageSha256(installation, id) }
      }
      case 'backup': {
        const { status, projectId: domain, target: name } = await client.showBackup(id)
        const { backupKeyFile, targets } = scene.checked()
        const target = targets[name]
        if (status !== 'available' || target === undefined) return { status }
        return { status, sha256: await restoreSha256({ target, backupKeyFile, domain, backupId: id }) }
      }
      case 'target':
        return 'gone'
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return 'gone'
    throw error
  }
}
