import { type ChunkUploadSetup, createChunkUpload } from './chunk-upload.ts'
import { serveTasks } from './serve-tasks.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'
import type { UploadSource } from './upload-request.ts'
import { openUploadSource } from './upload-source.ts'

export interface UploadThreadData {
  readonly target: ThreadTarget
  readonly source: UploadSource
  readonly setup: ChunkUploadSetup
}

serveTasks(async ({ target: threadTarget, source, setup }: UploadThreadData) => {
  const target = await openThreadTarget(threadTarget)
  const reader = await openUploadSource(source)
  return { handle: createChunkUpload(reader, target, setup), opened: [target, reader] }
})
