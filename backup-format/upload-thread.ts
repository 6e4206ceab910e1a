import { type ChunkUploadSetup, createChunkUpload } from './chunk-upload.ts'
import type { Keep } from './threads/messages.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'
import type { UploadSource } from './upload-request.ts'
import { openUploadSource } from './upload-source.ts'

export interface UploadThreadData {
  readonly target: ThreadTarget
  readonly source: UploadSource
  readonly setup: ChunkUploadSetup
}

export async function open({ target: threadTarget, source, setup }: UploadThreadData, keep: Keep) {
  const target = keep(await openThreadTarget(threadTarget))
  const reader = keep(await openUploadSource(source))
  return createChunkUpload(reader, target, setup)
}
