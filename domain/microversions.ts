/** Block storage v3 up to 3.71; a microversion is its second number. */
export const MICROVERSION_MIN = 0
export const MICROVERSION_MAX = 71

/**
 * Of the header `OpenStack-API-Version`, which may name several services: `volume 3.59`, `volume latest`. Without one for volumes it is
 * the oldest. Undefined: out of range, or no version at all.
 */
export function parseMicroversion(header: string | undefined): number | undefined {
  const part = (header ?? '')
    .split(',')
    .map((text) => text.trim())
    .find((text) => /^volumev?3?\s/i.test(text))
  if (part === undefined) return MICROVERSION_MIN
  const version = part.split(/\s+/)[1] ?? ''
  if (version.toLowerCase() === 'latest') return MICROVERSION_MAX
  const [, minor] = /^3\.(0|[1-9]\d{0,5})$/.exec(version) ?? []
  if (minor === undefined || Number(minor) > MICROVERSION_MAX) return undefined
  return Number(minor)
}
