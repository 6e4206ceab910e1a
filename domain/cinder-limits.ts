import { GiB, KiB, MiB, TiB } from './sizes.ts'

/** Limits of backups in Cinder's format: part of `LIMITS`. */
export const CINDER_LIMITS = {
  /** A Cinder backup's metadata object: 280,000 chunk objects, which is 14 TiB of full backup. All of it is in memory. */
  cinderMetadataMaxBytes: 64 * MiB,
  /** The largest object that Cinder's drivers for folders write has 1,999,994,880 bytes. */
  cinderObjectMaxBytes: 2 * GiB,
  /** Names and descriptions in Cinder's database have 255. */
  cinderTextMaxLength: 4096,
  /** Backups that build on each other. Cinder has no bound; each costs a request before a restore begins. */
  cinderChainMax: 1000,
  /** Of a file of hashes, all that is before the first one. */
  cinderHeadBytes: 16 * KiB,
  cinderShaBlockMaxBytes: 16 * MiB,
  /** Hashes that are read at once, 288 KiB for 128 MiB of a volume, and how many such pages a thread keeps. */
  cinderShaPageBlocks: 4096,
  cinderShaPages: 8,
  /** Output of a decompressor at a time: small, whatever its input claims. */
  cinderDecodeBytes: 256 * KiB,
  /** A piece of an object between decompressor, hash and volume. */
  cinderPieceBytes: MiB,
  /** Chunks of a backup in Cinder's format: Cinder's own size. Cinder holds one in memory, twice when it compresses; so do we. */
  cinderChunkBytes: 52_428_800,
  /** Chunks that are compressed at a time, each with up to 100 MiB of memory. */
  cinderChunksInWork: 2,
  /** The file of hashes is one object, and S3 takes 5 GiB in one piece: 2 TiB of a volume have 4.5 GiB. */
  cinderExportMaxBytes: 2 * TiB,
  /** Backups of a scan whose metadata are in memory at a time. */
  cinderScans: 2,
  /** An export record is one line of base64. */
  cinderRecordMaxLength: 64 * KiB,
  /**
   * Objects of a backup that is copied, each in a file without a name while its bytes are read: those of a chunk of ours, of which each
   * 32 KiB may come from another one ...
   */
  cinderOpenObjects: 256,
  /** ... and their bytes: two of the largest. */
  cinderOpenBytes: 4 * GiB,
  /** Damaged ranges that a verification names; it counts them all. */
  cinderDamageTold: 10,
} as const
