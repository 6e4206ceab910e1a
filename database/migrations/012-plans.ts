import { type Kysely, sql } from 'kysely'

/** A schedule may have many volumes, delete what grows old, and sound an alarm. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await sql`alter table backups add column schedule_id text`.execute(database)
  await sql`update backups set schedule_id =
    (select schedule_runs.schedule_id from schedule_runs where schedule_runs.backup_id = backups.id)`.execute(
    database,
  )
  await database.schema.createIndex('backups_schedule').on('backups').column('schedule_id').execute()
  await runsOfVolumes(database)
  await sql`alter table schedules add column volumes text not null default '{"ids":[]}'`.execute(database)
  await sql`update schedules set volumes = '{"ids":["' || volume_id || '"]}'`.execute(database)
  await database.schema.alterTable('schedules').dropColumn('volume_id').execute()
  for (const column of ['retention', 'retained_at'])
    await database.schema.alterTable('schedules').addColumn(column, 'text').execute()
  await database.schema.alterTable('schedules').addColumn('alarm_after_seconds', 'integer').execute()
  await database.schema
    .createTable('schedule_alarms')
    .addColumn('schedule_id', 'text', (c) => c.notNull())
    .addColumn('volume_id', 'text', (c) => c.notNull())
    .addColumn('raised_at', 'text', (c) => c.notNull())
    .addColumn('last_good_at', 'text')
    .addPrimaryKeyConstraint('schedule_alarms_key', ['schedule_id', 'volume_id'])
    .execute()
}

async function runsOfVolumes(database: Kysely<unknown>): Promise<void> {
  for (const column of ['volume_id', 'tried_at'])
    await database.schema.alterTable('schedule_runs').addColumn(column, 'text').execute()
  await sql`update schedule_runs set volume_id =
    (select schedules.volume_id from schedules where schedules.id = schedule_runs.schedule_id)`.execute(
    database,
  )
  await database.schema.dropIndex('schedule_runs_time').execute()
  await database.schema
    .createIndex('schedule_runs_volume')
    .unique()
    .on('schedule_runs')
    .columns(['schedule_id', 'scheduled_at', 'volume_id'])
    .execute()
}
