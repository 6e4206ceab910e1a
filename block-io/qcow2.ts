import type { BlockDevice } from './device.ts'
import { asFilename } from './map.ts'
import { runProcess } from './process.ts'

const PERCENT = /\((\d+\.\d+)\/100%\)/

/**
 * Writes the bytes of a trusted device as a qcow2 file. Throws DriverError, or the signal's reason; by then no process is alive.
 * qemu-img ends with status 0 even when its own flush failed: only a flush of the caller's, through a descriptor that was open
 * before, tells whether the bytes arrived.
 */
export async function writeQcow2(
  source: BlockDevice,
  path: string,
  options: { readonly signal: AbortSignal; readonly onProgress?: (doneBytes: number) => void },
): Promise<void> {
  const { signal, onProgress } = options
  await runProcess(
    'qemu-img',
    ['convert', '-p', '-t', 'writeback', '-O', 'qcow2', asFilename(source.blockdev), path],
    {
      signal,
      onStdoutLine: (line) => {
        const percent = PERCENT.exec(line)?.[1]
        if (percent !== undefined) onProgress?.(Math.floor((source.sizeBytes * Number(percent)) / 100))
      },
    },
  )
}
