/**
 * Looks at an installation from outside, with nothing of the product's code, and says what is not as it should be. For an
 * installation that is stopped, or has nothing to do.
 */
import { checkCinderTarget } from './cinder/check-cinder-target.ts'
import { checkDatabase, type Row, readRows } from './database.ts'
import { checkFileBackend } from './file-backend.ts'
import { checkHistories } from './histories.ts'
import { checkImageStore } from './image-store.ts'
import type { CheckedInstallation } from './installation.ts'
import { checkRbdBackend } from './rbd-backend.ts'
import { checkRbdStore } from './rbd-store.ts'
import { checkRbdTarget } from './rbd-target.ts'
import { checkProcesses, checkTemporaryFolder } from './processes.ts'
import { checkSchedules } from './schedules.ts'
import { checkTarget } from './repository/check-target.ts'
import { checkSecrets, needlesOf } from './secrets.ts'

type AllRows = ReturnType<typeof readRows>

/** What is wrong, each as a sentence that says where. Empty: nothing. */
export async function findViolations(installation: CheckedInstallation): Promise<string[]> {
  const { dataFolder, temporaryFolder, temporal, runningPid } = installation
  const rows = readRows(installation)
  const violations = [
    ...checkDatabase(rows),
    ...checkPlaces(installation, rows),
    ...(await checkProcesses(
      [dataFolder, ...(temporaryFolder === undefined ? [] : [temporaryFolder])],
      runningPid,
    )),
    ...(await checkSecrets(installation)),
  ]
  if (temporaryFolder !== undefined) {
    violations.push(...(await checkTemporaryFolder(temporaryFolder, runningPid !== undefined)))
  }
  if (temporal !== undefined) {
    violations.push(...(await checkHistories(temporal, rows.operations, await needlesOf(installation))))
    violations.push(...(await checkSchedules(temporal, rows.schedules)))
  }
  for (const [name, path] of Object.entries(installation.backends))
    violations.push(...(await checkFileBackend({ name, path, ...rowsOfBackend(rows, name) })))
  for (const [name, place] of Object.entries(installation.rbdBackends ?? {}))
    violations.push(...(await checkRbdBackend({ name, place, ...rowsOfBackend(rows, name) })))
  for (const [name, path] of Object.entries(installation.stores))
    violations.push(...(await checkImageStore({ name, path, images: imagesOfStore(rows, name) })))
  for (const [name, place] of Object.entries(installation.rbdStores ?? {}))
    violations.push(...(await checkRbdStore({ name, place, images: imagesOfStore(rows, name) })))
  for (const [name, place] of Object.entries(installation.targets)) {
    const backups = rows.backups.filter((row) => row.target === name)
    const { backupKeyFile, collected = false } = installation
    violations.push(...(await checkTarget({ name, place, backupKeyFile, backups, collected })))
  }
  for (const [name, place] of Object.entries(installation.cinderTargets ?? {})) {
    const backups = rows.backups.filter((row) => row.target === name)
    violations.push(...(await checkCinderTarget({ name, place, backups })))
  }
  for (const [name, place] of Object.entries(installation.rbdTargets ?? {})) {
    const backups = rows.backups.filter((row) => row.target === name)
    violations.push(...(await checkRbdTarget({ name, place, backups })))
  }
  return violations
}

/** Throws with all violations. */
export async function expectClean(installation: CheckedInstallation): Promise<void> {
  const violations = await findViolations(installation)
  if (violations.length === 0) return
  throw new Error(
    `Expected a clean installation, found:\n${violations.map((line) => `- ${line}`).join('\n')}`,
  )
}

function imagesOfStore(rows: AllRows, name: string): Row[] {
  const copied = new Set(rows.image_copies.flatMap((row) => (row.store === name ? [row.image_id] : [])))
  return rows.images.filter((row) => row.store === name || copied.has(row.id ?? null))
}

function checkPlaces(
  { stores, rbdStores, targets, cinderTargets, rbdTargets, ...places }: CheckedInstallation,
  rows: AllRows,
): string[] {
  const backends = { ...places.backends, ...places.rbdBackends }
  const unknown = (what: string, all: readonly Row[], column: string, known: object) =>
    all
      .filter((row) => !(String(row[column]) in known))
      .map((row) => `database: ${what} ${row.id} is in ${column} ${row[column]}, which is not configured`)
  return [
    ...unknown('volume', rows.volumes, 'backend', backends),
    ...unknown('snapshot', rows.snapshots, 'backend', backends),
    ...unknown('image', rows.images, 'store', { ...stores, ...rbdStores }),
    ...unknown('backup', rows.backups, 'target', { ...targets, ...cinderTargets, ...rbdTargets }),
  ]
}

function rowsOfBackend({ volumes, snapshots, kept_snapshots: kept, backups }: AllRows, name: string) {
  const here = (row: Row) => row.backend === name
  const all = [...snapshots, ...kept.map((row) => keptSnapshot(row, backups))]
  return { volumes: volumes.filter(here), snapshots: all.filter(here) }
}

/** As if it were a user's. */
function keptSnapshot(kept: Row, backups: readonly Row[]): Row {
  const sizeBytes = backups.find(({ id }) => id === kept.backup_id)?.size_bytes ?? 0
  return { ...kept, id: kept.snapshot_id ?? null, status: 'available', size_bytes: sizeBytes }
}
