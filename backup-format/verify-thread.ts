import type { DeviceSpec } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { type ChunkVerifySetup, createChunkVerify } from './chunk-verify.ts'
import type { Keep } from './threads/messages.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

export interface VerifyThreadData {
  readonly target: ThreadTarget
  readonly volume: DeviceSpec | undefined
  readonly setup: ChunkVerifySetup
}

export async function open({ target: threadTarget, volume, setup }: VerifyThreadData, keep: Keep) {
  const target = keep(await openThreadTarget(threadTarget))
  const reader = volume === undefined ? undefined : keep(await openReader(volume))
  return createChunkVerify(target, reader, setup)
}
