import { CINDER_LIMITS } from './cinder-limits.ts'
import { SCHEDULE_LIMITS } from './schedule-limits.ts'
import { GiB, KiB, MiB, TiB } from './sizes.ts'

/** Every named limit of the system, each with the reason for its number. */
export const LIMITS = {
  ...CINDER_LIMITS,
  ...SCHEDULE_LIMITS,
  /** Above any volume a single host can copy within the 24 h of a data activity, and below qemu's own limits. */
  volumeSizeMaxBytes: 64 * TiB,
  /** Volumes are whole MiB, so that every driver's allocation unit divides them. */
  volumeSizeUnitBytes: MiB,
  /** An upload larger than this is refused before it fills the store. */
  imageSizeMaxBytes: 2 * TiB,
  /** The checkpoint inside a span: what a kill can cost, at most twice (one in flight, one being flushed). */
  segmentBytes: 128 * MiB,
  /** Address space of a segment, zeroes included: what is punched or skipped by one process. */
  segmentSpanBytes: 4 * GiB,
  /** A copy moves pieces of this size through as many buffers: small enough to stay in a processor's cache: faster than 2 MiB was. */
  copyPieceBytes: 512 * KiB,
  copyPiecesInFlight: 16,
  /** Of a volume that is streamed into an image: enough that reading never waits for hashing, which is slower. */
  streamPiecesAhead: 4,
  /** A copy asks for the source's allocation in windows of this size, so that the answer stays small. */
  mapWindowBytes: 256 * GiB,
  /** Chunk of a volume in a target; equals the RBD object size. */
  chunkBytes: 4 * MiB,
  /** Chunk entries in one index page: a page describes 4 GiB of a volume. */
  indexPageEntries: 1024,
  /** A resumed backup repeats at most this many chunks (128 MiB). */
  journalChunks: 32,
  /** ... or this much time of slow uploading. */
  journalIntervalMs: 5_000,
  /** Damaged objects that one upload knows of, to heal them: far more, and the target is beyond that. */
  quarantinedMax: 10_000,
  /** Layers of a volume in the file backend; deeper chains slow down every read. */
  layerDepthMax: 16,
  /** Layers are merged when a volume has rested for so long: a series of operations on it is not held up ... */
  mergeIdleMs: 300_000,
  /** ... and after so long again when a guest has it open, or when it could not be done. */
  mergeRetryMs: 3_600_000,
  mergeSweepMs: 10_000,
  /** Names come from users and are shown in lists. */
  nameLengthMax: 255,
  descriptionLengthMax: 1000,
  metadataEntriesMax: 128,
  pageSizeMax: 1000,
  pageSizeDefault: 100,
  requestBodyBytes: 256 * KiB,
  idempotencyKeyLengthMax: 128,
  /** A data activity's lease: a successor writes only after it ran out. */
  leaseMs: 10_000,
  leaseRenewMs: 2_000,
  /** A writer that could not renew for this long stops itself: half the lease, so that it is gone before a successor starts. */
  leaseRenewGraceMs: 5_000,
  /** An attempt that was told to stop and goes on for so long is stopped with its process: it would hold its lease for good. */
  stopWithinMs: 120_000,
  progressIntervalMs: 1_000,
  /** So soon bytes that wait for a rate limit notice that it changed. */
  paceStepMs: 200,
  /** A timer may be so late without making a limited rate slower. */
  paceLateMs: 100,
  /** Below this, one chunk of a backup would be held up for longer than a change of the limit may take. */
  rateLimitMinBytes: MiB,
  /** No byte moved for this long is a hung tool or target: the attempt fails and is tried again. */
  stallMs: 300_000,
  /** Crashed attempts without a new checkpoint before the operation fails: the input kills the worker. */
  crashesMax: 5,
  transientFailureMs: 24 * 3_600_000,
  /** Work that nobody takes for so long has a reason that is shown ... */
  noWorkerMs: 60_000,
  /** ... and if there is no worker for so long, there will be none. */
  noWorkerFailureMs: 24 * 3_600_000,
  /** Failures of a workflow task in a row that are no passing trouble. */
  stalledTaskFailures: 3,
  uploadLeaseMs: 30_000,
  /** Six tries before the lease runs out. */
  uploadRenewMs: 5_000,
  /** After an early refusal the rest of the body is read and thrown away for this long, so that the client gets to see the answer. */
  refusedBodyDrainMs: 5_000,
  /** With the lease: a dead upload is gone within 60 s. */
  uploadSweepMs: 5_000,
  /** A supervised process that ran this long had started properly. */
  serviceHealthyMs: 10_000,
  serviceRestartMs: 200,
  serviceRestartMaxMs: 10_000,
  /** After this a process that was asked to stop is killed: a little more than its own patience. */
  serviceStopMs: 20_000,
  temporalStartMs: 60_000,
  temporalPollMs: 100,
  readyMs: 60_000,
  /** A process waits so long for Temporal and the database before it ends, and whoever watches over it sees that. */
  dependencyWaitMs: 120_000,
  dependencyPollMs: 500,
  /** Of one connection, when a process is asked whether it is well: less than the patience of container engines. */
  healthCheckMs: 3_000,
  /** Histories stay as long as an operation may run, and for the user to look back: 30 days. */
  historyRetentionMs: 30 * 86_400_000,
  /** Heaps sized for the goal of 300 MB a process. */
  dataHeapMiB: 128,
  controlHeapMiB: 160,
  apiHeapMiB: 128,
  /** Threads that one backup or restore uses: each keeps a core busy. */
  backupThreads: 2,
  /** Threads of a process that all its backups and restores share, where it has so many cores. */
  threadsMax: 8,
  /** A thread without work ends after this time. */
  threadIdleMs: 30_000,
  /** V8's own default lets short-lived objects take three times 16 MiB before it collects. */
  semiSpaceMiB: 2,
  /** Workflows kept in memory by the control worker; the rest is replayed when it goes on. */
  cachedWorkflowsMax: 200,
  /** Database steps at the same time: SQLite has one writer. */
  localActivitiesMax: 20,
  /** Each writer has its turn for milliseconds: waiting longer for it, or for an answer, means that something is broken. */
  databaseWaitMs: 10_000,
  /** For one of the connections below: hundreds of requests that come at once take them in turn. */
  databaseQueueMs: 30_000,
  /** Of a process. PostgreSQL's default of 100 is enough for nine of ours. */
  databaseConnections: 10,
  /** A client that froze during its turn loses it after this: sooner than anybody's lease. */
  databaseTurnIdleMs: 2_000,
  /** What a stopping worker gives running activities before it tells them to stop ... */
  shutdownGraceMs: 500,
  /** ... and before it exits all the same. Less than the patience of service managers. */
  shutdownForceMs: 15_000,
  sweepIntervalMs: 1_000,
  reconcileIntervalMs: 15_000,
  /** What could not be released is a place that is misconfigured or gone: no need to hurry. */
  janitorIntervalMs: 300_000,
  /** fsck leaves alone what changed within this time: each step between two records of a thing takes less. */
  fsckYoungMs: 30_000,
  /** ... and removes what nothing refers to only when it has been so for a day: the mistake may be in what refers. */
  fsckOrphanMs: 24 * 3_600_000,
  /** Between the two looks at everything that seems wrong: longer than Temporal takes to list what has just ended. */
  fsckSecondLookMs: 2_000,
  /** Rows, things and workflows that fsck holds in memory at a time. */
  fsckBatch: 500,
  /** Looks at single things under way at once. */
  fsckLooks: 16,
  /** More differences than this have one cause, and nobody reads them. */
  fsckFindingsMax: 10_000,
  /** How long a repair waits for the recovery of an operation. */
  fsckRecoveryMs: 60_000,
  /** A server on this network that has not answered by then is away. */
  inspectionCallMs: 5_000,
  /** Writers that race in a target's self-test: a server without conditional writes lets several win. */
  selfTestWriters: 8,
  /** S3 refuses requests whose clock is off by 15 minutes; a minute shows that nobody sets it. */
  clockSkewWarnMs: 60_000,
  clockSkewMaxMs: 15 * 60_000,
  /** Below these a place is nearly full, and full: no segment fits. */
  freeSpaceWarnBytes: GiB,
  freeSpaceMinBytes: 128 * MiB,
  /** A flush that takes longer makes each step of an operation slow. */
  flushWarnMs: 100,
  stickyTimeoutMs: 2_000,
  dispatchBatch: 50,
  /** Operations that the sweeper dispatches before it looks again whose turn it is, and how many of them at a time. */
  sweepBatch: 20,
  sweepDispatches: 5,
  /** Some 200 MB of log; with eight events of an operation, 30,000 operations. */
  eventsMax: 250_000,
  /** Time to bring a receiver of events back after a weekend. */
  eventAgeMaxMs: 7 * 86_400_000,
  pruneIntervalMs: 60_000,
  /** Events that are removed in one transaction: some 10 ms. */
  pruneBatch: 1000,
  /** Of an error's message in an event: the rest is with the operation. */
  eventMessageLengthMax: 2000,
  openFilesPerProcess: 1024,
  inspectorReadBytes: 16 * MiB,
  /** Mapping tables of an uploaded qcow2 that are walked: all of them for 2 TiB of data in 64 KiB clusters, in under a second. */
  inspectorTableBytes: 256 * MiB,
  /** An upload is hashed and written in pieces of this size; two of them are in memory per upload. */
  uploadBlockBytes: MiB,
  watchersMax: 1000,
  /** How often the log is asked for news while somebody watches: once for all watchers, a query of some 20 µs. */
  watchIntervalMs: 10,
  /** ... while the database does not answer. */
  watchRetryMs: 1_000,
  /** News that are handed to the watchers at a time; the rest follows at once. */
  watchBatch: 1000,
  /** Events that are written to a watcher before it must have taken them: some 100 KiB. */
  watchEvents: 100,
  /** A watcher that takes nothing for so long is cut off; it comes back and goes on where it was. */
  watchStallMs: 10_000,
  /** Below the idle timeouts of common proxies. */
  watchCommentMs: 10_000,
  /** Dispatches under way at once while Temporal is slow; beyond this the sweeper does them. */
  dispatchesMax: 100,
  /** How long a closing API waits for them. */
  dispatchDrainMs: 2_000,
  /** Ids are 36 characters; longer ones come from a mistake and would fill error messages. */
  idLengthMax: 64,
  metadataValueLengthMax: 255,
  requestIdLengthMax: 64,
  /** How much of a wrong value an error message quotes. */
  quotedValueLengthMax: 80,
  rssGoalBytes: 300 * MiB,
  volumeDefaultSizeBytes: GiB,
  /** Output of a child process that is kept in memory: a `qemu-img map` of some 200,000 extents. */
  processStdoutBytes: 32 * MiB,
  processStderrTailBytes: 8 * KiB,
  /** How much of a program's stderr an error message quotes. */
  processErrorLines: 3,
  processErrorLineLength: 300,
  /** Between SIGTERM and SIGKILL. */
  processStopMs: 2_000,
  /** Where more requests in flight stop helping. */
  nbdRequestsInFlight: 16,
  nbdRequestsWaitingMax: 1024,
  /** Of one read or write; qemu's server takes up to 32 MiB. */
  nbdRequestBytes: 4 * MiB,
  /** Of one request for zeroes: a server without hole punching must have written them within `nbdStallMs`. */
  nbdZeroesBytes: 128 * MiB,
  /** Of one question about allocation; the protocol has 32 bits for it. */
  nbdBlockStatusRangeBytes: 2 * GiB,
  /** What a unix socket delivers at once. */
  nbdReceiveBufferBytes: 256 * KiB,
  /** Names, errors and other small things that a server sends; the protocol allows strings of 4 KiB. */
  nbdControlPayloadBytes: 8 * KiB,
  nbdOptionRepliesMax: 16,
  /** One block status reply; qemu sends at most 128 Ki extents. */
  nbdBlockStatusBytes: MiB + 4,
  nbdStallMs: 60_000,
  /** One answer of a qemu: 16 layers under each of 50 disks. */
  qmpLineBytes: 16 * MiB,
  /** A monitor greets when the client before is gone: each of ours is there for less than a second. */
  qmpGreetingMs: 10_000,
  qmpLinePollMs: 20,
  /** A snapshot waits for the guest's writes under way. */
  qmpCommandMs: 30_000,
  /** A socket's path has at most 107 bytes. */
  socketPathBytes: 107,
  /** So long a volume may still be open after its last user was told to end. */
  volumeCloseMs: 3_000,
  volumeClosePollMs: 50,
  /** How often a merge in a guest is asked how far it is. */
  guestMergePollMs: 500,
  /** Zeroes from this length on become a hole: punching costs a process, some 3 ms. */
  holeMinBytes: MiB,
  /** A range whose map does not fit into `processStdoutBytes` is halved down to this, then taken as data. */
  mapSplitMinBytes: GiB,
  /** qemu with 16 requests under way needs 240 MiB, if its up to 64 threads have small stacks and share two malloc arenas. */
  sandboxAddressSpaceBytes: GiB,
  sandboxStackBytes: MiB,
  exportMallocArenas: 2,
  sandboxOpenFiles: 64,
  /** Decompression of a user's image takes about 5 CPU-seconds per GiB here; more than four times that is a bomb. */
  sandboxCpuBaseSeconds: 30,
  sandboxCpuSecondsPerGiB: 20,
  exportStartMs: 10_000,
  exportPollMs: 5,
  /** How much later than its last answer a crashing server is seen to be gone. */
  exportEndMs: 500,
  /** Extents of one answer that are kept in memory; what lies behind counts as data. */
  extentsMax: 262_144,
  /** What a connection to S3 reads at a time. */
  s3ReadBytes: 256 * KiB,
  /** Requests to a target in flight for lists, small objects and deletions; restores reach their plateau with 12 to 16. */
  targetRequests: 16,
  /** Index pages of which a commit looks for all chunks at once: their 131,072 names take 55 MB. */
  presencePages: 128,
  /** Chunks in work per worker thread of a backup or restore, each with two buffers of a chunk: 8 in flight with two threads. */
  chunksPerThread: 4,
  /** Of these, being read and compressed at a time: one reads while the other keeps the processor busy. */
  readsPerThread: 2,
  /** Short-lived objects of a worker thread hold buffers outside the heap: collecting them early saves 100 MiB of a process. */
  threadYoungHeapMiB: 2,
  /** A worker thread that has not put an operation's work away by then is ended. */
  threadStopMs: 2_000,
  /** Index pages filled at the same time, so that a sparse volume, with few chunks per page, keeps all threads busy. */
  pagesInWork: 4,
  /** Index pages whose extents are asked for at once (64 GiB of a volume): for a file each question starts a process. */
  extentPages: 16,
  /** Key slots of a repository. More come from somebody who wants us to try them all. */
  keySlotsMax: 64,
  /** A slot has some 600 bytes. */
  keySlotMaxBytes: 8 * KiB,
  keySlotReferenceMax: 1024,
  /** What a slot in a target may make us compute: eight times what ours does. */
  scryptMemoryMaxBytes: GiB,
  scryptParallelMax: 4,
  passphraseLengthMin: 12,
  passphraseLengthMax: 1024,
  /** Readings of a repository's state until it holds still; it moves twice per collection. */
  stateReadsMax: 100,
  /** Objects in one list of condemned objects (2.6 MiB). */
  condemnedListItems: 65_536,
  /** Objects that one round of a collection condemns: every writer keeps them in 32 MiB of memory meanwhile. */
  condemnedObjectsMax: 1_000_000,
  /** A collection that finds more than this share of all objects unneeded wants to be told that this is right ... */
  collectShareMax: 0.3,
  /** ... unless it is no more than so many: 4 GiB of chunks. */
  collectObjectsFree: 1000,
  /** References of records that a collection keeps in memory; the rest is in files. */
  markBufferBytes: 64 * MiB,
  /** References that are not noted twice: enough for a volume of 1 TiB; 4 MiB of memory. */
  markRecentItems: 262_144,
  /** Shards of a target that are listed at a time, each with a set of up to 32 MiB for 1 PB of chunks. */
  shardsInWork: 4,
  /** What S3 deletes with one request. */
  deletionBatch: 1000,
  /** A request for 1,000 deletions keeps a server busy for a second. */
  deletionBatchesInFlight: 4,
  /** Waiting for another compare-and-swap on a directory target: each takes milliseconds, 20 in line a second. */
  targetLockMs: 10_000,
  /** Temporary files of other machines cannot be told from live ones by their process; nobody writes 4 MiB for a day. */
  foreignTempMaxMs: 24 * 3_600_000,
  /** Requests of one S3 client in flight; the rest wait for a socket. */
  s3Sockets: 32,
  s3ConnectMs: 5_000,
  /** No byte for so long: the request is tried again. */
  s3SocketIdleMs: 30_000,
  /** Of one request, about 6 s in all; whoever called may try the whole step again. */
  s3Attempts: 5,
  s3RetryMs: 200,
  /** Of a project: each may keep a place among `webhookTurns` busy. */
  webhooksMax: 20,
  webhookUrlLengthMax: 2048,
  /** How often the log is compared with the cursors: a query of a few µs for each webhook and event that came since `webhookAdvanceMs`. */
  webhookPollMs: 250,
  /** How often cursors are moved past events that are for nobody, so that these are not looked at again and again. */
  webhookAdvanceMs: 5_000,
  /** From the question to the name server to the last byte of the answer. Receivers shall answer first and work afterwards. */
  webhookRequestMs: 10_000,
  /** Nobody else delivers for a webhook meanwhile: a request, and some time to write down what became of it. */
  webhookLeaseMs: 15_000,
  /** So often a turn writes down how far it came, and renews its lease: what a kill can repeat. */
  webhookSaveMs: 1_000,
  /** Then others have their turn. */
  webhookTurnMs: 10_000,
  /** Webhooks that a control worker delivers for at a time; each has one request in flight. */
  webhookTurns: 16,
  /** Events that a turn reads at a time: some 100 KiB. */
  webhookBatch: 100,
  /** Of an answer's body, which nobody looks at: a longer one costs the connection. */
  webhookResponseBytes: 64 * KiB,
  webhookRetryMinMs: 1_000,
  /** So soon a receiver that came back gets what it missed. */
  webhookRetryMaxMs: 10 * 60_000,
  /** A receiver that failed for so long is given up: two days before the events that it missed are removed. */
  webhookFailureMaxMs: 5 * 86_400_000,
  webhookErrorLengthMax: 500,
  /** Deliveries of a webhook that are remembered, the newest. */
  webhookDeliveriesKept: 200,
  /** A longer backlog is not counted to its end. */
  webhookBacklogShown: 1_000,
  /** How long the secret before also signs, so that a receiver can be given the new one without haste. */
  webhookOldSecretDefaultSeconds: 86_400,
  webhookOldSecretMaxSeconds: 7 * 86_400,
} as const
