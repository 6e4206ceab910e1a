import { workerData } from 'node:worker_threads'
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

serveTasks(async () => {
  const { target: threadTarget, volume, setup } = workerData as VerifyThreadData
  const target = await openThreadTarget(threadTarget)
  const reader = volume === undefined ? undefined : await openReader(volume)
  return {
    handle: createChunkVerify(target, reader, setup),
    close: async () => {
      await Promise.all([target.close(), reader?.close()])
    },
  }
})
