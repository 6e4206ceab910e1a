import type { DeviceSpec } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { type ChunkVerifySetup, createChunkVerify } from './chunk-verify.ts'
import { serveTasks } from './serve-tasks.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

export interface VerifyThreadData {
  readonly target: ThreadTarget
  readonly volume: DeviceSpec | undefined
  readonly setup: ChunkVerifySetup
}

serveTasks(async ({ target: threadTarget, volume, setup }: VerifyThreadData) => {
  const target = await openThreadTarget(threadTarget)
  const reader = volume === undefined ? undefined : await openReader(volume)
  const opened = reader === undefined ? [target] : [target, reader]
  return { handle: createChunkVerify(target, reader, setup), opened }
})
