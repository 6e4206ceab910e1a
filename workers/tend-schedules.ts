import { allSchedules } from '../database/schedules/applied.ts'
import { updateAlarms } from '../database/schedules/alarms.ts'
import { applyRetention, schedulesToRetain } from '../database/schedules/retention.ts'
import { verifyDue } from '../database/schedules/verification.ts'
import type { Database } from '../database/open.ts'
import type { PlaceNames } from '../database/requests/places.ts'
import type { Logger } from './logger.ts'

/** Deletes what the rules of schedules no longer keep. */
export async function applyRetentions(database: Database): Promise<void> {
  const nowMs = Date.now()
  for (const schedule of await schedulesToRetain(database, nowMs))
    await applyRetention(database, schedule, nowMs)
}

/** Verifies what schedules want to have verified, and what may have been healed. */
export async function verifyBackups(database: Database, places: PlaceNames): Promise<void> {
  await verifyDue(database, places, Date.now())
}

/** Looks for volumes that should have been backed up, and says so in the log when that changes. */
export async function watchBackups(database: Database, logger: Logger): Promise<void> {
  const nowMs = Date.now()
  for (const schedule of await allSchedules(database)) {
    const { raised, cleared } = await updateAlarms(database, schedule, nowMs)
    const { id: scheduleId, name } = schedule
    for (const { volumeId, lastGoodAt } of raised)
      logger.error({ scheduleId, name, volumeId, lastGoodAt }, 'a volume has no good backup for too long')
    for (const volumeId of cleared)
      logger.info({ scheduleId, name, volumeId }, 'a volume has a good backup again, or is no longer planned')
  }
}
