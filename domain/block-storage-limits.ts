/** Limits of what Cinder keeps besides volumes, each with the reason for its number. */
export const BLOCK_STORAGE_LIMITS = {
  /** As in Cinder: a month to look why something failed. */
  messageKeptMs: 30 * 86_400_000,
  /** Cinder's clients wait a minute for an answer; an attachment takes a tenth of a second when a worker is there. */
  connectionWaitMs: 30_000,
  /** How long a forced deletion waits until the operation that it ends has let go. */
  forcedReleaseMs: 20_000,
  releasePollMs: 100,
  /** Twelve random bytes cannot be guessed within the life of a transfer. */
  transferKeyBytes: 12,
  /** Of a connector or a connection, as JSON: a few hundred bytes, with a place for many paths. */
  connectorLengthMax: 16_384,
  /** How often workers write down how much room a backend has. */
  capacityIntervalMs: 15_000,
} as const
