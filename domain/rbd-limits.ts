import { MiB, TiB } from './sizes.ts'

/** Limits of the RBD backend and store, each with the reason for its number. */
export const RBD_LIMITS = {
  /** Of a call that only changes metadata: a cluster that does not answer by then is away. */
  rbdCallMs: 60_000,
  /** Of a removal, which takes an object at a time: below the time that a short activity has. */
  rbdRemoveMs: 25 * 60_000,
  /** Of a flattening, whose progress is watched: as long as an activity may take. */
  rbdFlattenMs: 24 * 3_600_000,
  /** How often it is asked how far it is: each question starts a program. */
  rbdFlattenPollMs: 1_500,
  /** How often it is looked whether a copy that was begun can be marked as ours. */
  rbdMarkPollMs: 100,
  /** The cluster forgets a client that does not answer after 30 s. */
  rbdWatchMs: 35_000,
  /** A monitor that does not answer by then is away; Ceph itself would wait for five minutes. */
  rbdConnectSeconds: 10,
  /** Clones of clones: each read of what nobody wrote asks so many images. What Cinder allows by default. */
  rbdCloneDepthMax: 5,
  /** How long a fenced client is refused: far longer than any of our processes outlives its lease. */
  rbdBlocklistSeconds: 300,
  /** Above this a list of exact changes asks the cluster more questions than reading whole objects costs: one for each 4 MiB. */
  rbdExactDiffMaxBytes: TiB / 64,
  /** Of a record before its data, in a stream of differences: names of snapshots are shorter. */
  rbdDiffHeaderBytes: 4096,
  /** A program whose stream broke off says why within this. */
  rbdReasonMs: 1_000,
  rbdObjectBytes: 4 * MiB,
  /** Of `rbd diff` and `rbd ls`: some 500,000 entries. */
  rbdOutputBytes: 64 * MiB,
} as const
