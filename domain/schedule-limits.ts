/** Limits of schedules, and of what they keep, verify and watch: part of `LIMITS`. */
export const SCHEDULE_LIMITS = {
  /** Each costs a question to Temporal every `reconcileIntervalMs`. */
  schedulesMax: 1000,
  /** A backup takes seconds at best; cron has no less either. */
  scheduleIntervalMinSeconds: 60,
  scheduleIntervalMaxSeconds: 366 * 86_400,
  scheduleCronLengthMax: 200,
  scheduleJitterMaxSeconds: 3_600,
  /** Less is no window to Temporal. */
  scheduleCatchUpMinSeconds: 10,
  scheduleCatchUpDefaultSeconds: 3_600,
  scheduleCatchUpMaxSeconds: 86_400,
  scheduleFullEveryMax: 366,
  /** Planned times that are shown. */
  scheduleTimesShown: 5,
  /** How far ahead cron is searched: the 29th of February may be eight years away. */
  scheduleSearchDays: 8 * 366,
  /** A waiting run is tried again after as long as it has waited already, within these bounds: some 300 tries in a day. */
  scheduleRetryMinMs: 2_000,
  scheduleRetryMaxMs: 300_000,
  /** After the end of its catch-up window a run has this long to be recorded by its workflow. */
  scheduleGraceMs: 30_000,
  /** Missed runs that are recorded at once, and how far back they are looked for. */
  scheduleMissedMax: 100,
  scheduleMissedLookBackMs: 7 * 86_400_000,
  /** Planned times of a schedule that are remembered, the newest: enough to know when the last full backup was. */
  scheduleRunsKept: 1000,
  /** Volumes of one schedule: as many operations as one database step may accept in passing. */
  scheduleVolumesMax: 1000,
  /** Volumes that one step of a planned run tries: half a second on the slower database. */
  scheduleStartBatch: 50,
  /** A run by hand whose process died before it got to all volumes is given up. */
  scheduleManualRunMs: 60_000,
  scheduleAlarmMaxSeconds: 10 * 366 * 86_400,
  /** Of each rule. */
  retentionCountMax: 10_000,
  retentionWithinMaxSeconds: 100 * 366 * 86_400,
  /** What grows too old is looked for so often, besides after each backup. */
  retentionIntervalMs: 3_600_000,
  /** Deletions that one look at a schedule's backups starts; the rest follows with the next. */
  retentionDeletionsMax: 200,
  /** Verifications that one look starts; the rest follows with the next. */
  verifyBatch: 20,
  /** A backup of a schedule whose verification could not be done is tried again after a day. */
  verifyAgainMs: 86_400_000,
  /** Alarms are about hours: no need to look more often. */
  alarmIntervalMs: 30_000,
  /** A schedule's planned times whose greatest distance says how old its newest good backup may be. */
  alarmTimes: 10,
  /** Questions to Temporal about schedules at a time. */
  scheduleRequests: 16,
} as const
