/** Copies what its first argument describes and reports on stdout, so that tests can kill it or starve it of space. */
import { copyDevice, type CopyOptions } from '../../block-io/copy.ts'
import { DriverError } from '../../domain/errors.ts'

const options = JSON.parse(process.argv[2] ?? '') as Omit<
  CopyOptions,
  'signal' | 'onProgress' | 'onCheckpoint'
>
try {
  await copyDevice({
    ...options,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onCheckpoint: (offset) => console.log(`checkpoint ${offset}`),
  })
  console.log('done')
} catch (error) {
  console.log(error instanceof DriverError ? `${error.kind} ${error.message}` : String(error))
  process.exitCode = 1
}
