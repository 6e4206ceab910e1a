import { GiB, KiB, MiB, TiB } from '../domain/sizes.ts'
import { CliError, EXIT } from './exit-codes.ts'

const UNITS: Readonly<Record<string, number>> = { B: 1, K: KiB, M: MiB, G: GiB, T: TiB }
const SIZE = /^(\d+(?:\.\d+)?)([BKMGT])(?:iB)?$/i

/** `10G`, `512M`, `1.5T`, `10GiB` -> bytes; units are powers of 1024. Throws CliError. */
export function parseSize(text: string): number {
  const [, number, unit] = SIZE.exec(text) ?? []
  const factor = UNITS[unit?.toUpperCase() ?? '']
  if (number === undefined || factor === undefined) {
    throw new CliError(
      EXIT.usage,
      'usage',
      `Expected a size with a unit, such as 10G, 512M or 1.5T, got "${text}".`,
    )
  }
  const bytes = Number(number) * factor
  if (Number.isSafeInteger(bytes)) return bytes
  throw new CliError(EXIT.usage, 'usage', `Expected a size of whole bytes, got "${text}".`)
}
