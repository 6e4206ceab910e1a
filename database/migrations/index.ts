import type { Migration } from 'kysely/migration'
import * as initial from './001-initial.ts'
import * as controls from './002-controls.ts'
import * as events from './003-events.ts'
import * as schedules from './004-schedules.ts'
import * as attachments from './006-attachments.ts'
import * as webhooks from './005-webhooks.ts'
import * as keptSnapshots from './008-kept-snapshots.ts'
import * as cinder from './010-cinder.ts'
import * as plans from './012-plans.ts'
import * as verification from './013-verification.ts'
import * as identity from './021-identity.ts'
import * as blockStorage from './022-block-storage.ts'
import * as images from './023-images.ts'

/** All migrations by name, in order; a released one is never edited. */
export const MIGRATIONS: Record<string, Migration> = {
  '001-initial': initial,
  '002-controls': controls,
  '003-events': events,
  '004-schedules': schedules,
  '006-attachments': attachments,
  '005-webhooks': webhooks,
  '008-kept-snapshots': keptSnapshots,
  '010-cinder': cinder,
  '012-plans': plans,
  '013-verification': verification,
  '021-identity': identity,
  '022-block-storage': blockStorage,
  '023-images': images,
}
