import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '../../domain/limits.ts'
import { type Check, type Finding, keyOf } from './finding.ts'

export interface ScanResult {
  readonly findings: readonly Finding[]
  /** There were more than anybody reads. */
  readonly truncated: boolean
}

/**
 * Runs all checks, and those that found something a second time: what was on its way the first time is there, or gone, the second.
 * Only what is wrong in the same way both times is a finding.
 */
export async function scan(checks: readonly Check[]): Promise<ScanResult> {
  const suspicions: { check: Check; keys: Set<string> }[] = []
  let room = LIMITS.fsckFindingsMax
  for (const check of checks) {
    const found = await gather(check, room)
    room -= found.size
    if (found.size > 0) suspicions.push({ check, keys: new Set(found.keys()) })
  }
  if (suspicions.length === 0) return { findings: [], truncated: false }
  await sleep(LIMITS.fsckSecondLookMs)
  const findings: Finding[] = []
  for (const { check, keys } of suspicions) {
    const again = await gather(check, LIMITS.fsckFindingsMax)
    for (const [key, finding] of again) if (keys.has(key)) findings.push(finding)
  }
  return { findings, truncated: room <= 0 }
}

async function gather(check: Check, limit: number): Promise<Map<string, Finding>> {
  const found = new Map<string, Finding>()
  if (limit <= 0) return found
  for await (const finding of check.find()) {
    found.set(keyOf(finding), finding)
    if (found.size >= limit) break
  }
  return found
}
