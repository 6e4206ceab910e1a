/** A process for tests to kill: uploads one backup and prints how many chunks it has stored. */
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import type { UploadRequest } from '../../backup-format/upload-request.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import type { TargetSpec } from '../../backup-format/target.ts'
import { openTarget, targetFactoryUrl } from '../../drivers/backups/registry.ts'
import { keyring } from './fixtures.ts'

interface ChildRequest {
  readonly targetSpec: TargetSpec
  readonly key: string
  readonly request: Omit<UploadRequest, 'signal' | 'threads' | 'onProgress'>
}

const { targetSpec, key, request }: ChildRequest = JSON.parse(process.argv[2] ?? '')
const repository = await createOrOpenRepository(openTarget(targetSpec), keyring(Buffer.from(key, 'hex')))
await uploadBackup(repository, {
  ...request,
  signal: new AbortController().signal,
  threads: { targetFactoryUrl, targetSpec, count: 2 },
  onProgress: ({ chunksStored }) => console.log(chunksStored),
})
