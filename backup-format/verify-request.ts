import type { BlockReader, DeviceSpec } from '../block-io/device.ts'
import type { VerifyLevel } from '../domain/verification.ts'

/** A look at a backup, whatever its format. */
export interface VerifyRequest {
  readonly level: VerifyLevel
  /** Of the chunks, 1 to 100: which ones, the seed decides, the same ones in every attempt. */
  readonly samplePercent: number
  readonly seed: string
  /** Of level `restore`: the volume to which the backup was restored. */
  readonly volume?: DeviceSpec
  /** The same bytes elsewhere: what is damaged is healed with them. Not in Cinder's format. */
  readonly copy?: BlockReader
  /** Continues an earlier attempt, from its last checkpoint. */
  readonly resumeFromBytes: number
  readonly signal: AbortSignal
  /** Waits until so many bytes may be moved. */
  readonly pace: (bytes: number) => Promise<void>
  readonly onProgress: (progress: { doneBytes: number; totalBytes: number; movedBytes: number }) => void
  /** What was found before this can be told by another attempt, too, without looking again. */
  readonly onCheckpoint: (bytes: number) => Promise<void>
}

export interface VerifyFindings {
  /** In Cinder's format: objects. */
  readonly checkedChunks: number
  readonly damagedChunks: number
  readonly damagedPages: number
  readonly healedChunks: number
  readonly healedPages: number
  /** What is damaged and which bytes of the volume that are, the first few. */
  readonly damage?: string
  /** In Cinder's format: objects below the prefix that no metadata name. Cinder refuses to restore such a backup. */
  readonly unknownObjects?: number
}
