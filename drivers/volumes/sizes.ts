/** What every driver expects of sizes, with the error that says so. */
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { formatBytes } from '../../domain/sizes.ts'

export function checkSize(sizeBytes: number): void {
  const { volumeSizeUnitBytes, volumeSizeMaxBytes } = LIMITS
  if (sizeBytes > 0 && sizeBytes <= volumeSizeMaxBytes && sizeBytes % volumeSizeUnitBytes === 0) return
  throw new DriverError(
    'invalid',
    `Expected a volume of whole MiB, at most ${formatBytes(volumeSizeMaxBytes)}, got ${sizeBytes} bytes`,
  )
}

export function checkAtLeast(sizeBytes: number, source: { what: string; sizeBytes: number }): void {
  if (sizeBytes >= source.sizeBytes) return
  const [least, wanted] = [formatBytes(source.sizeBytes), formatBytes(sizeBytes)]
  throw new DriverError(
    'invalid',
    `Expected the new size to be at least that of the ${source.what} (${least}), got ${wanted}`,
  )
}
