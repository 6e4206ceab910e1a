import { BY_FAULT } from './by-fault.ts'
import { BY_REQUEST } from './by-request.ts'
import type { Ending } from './ending.ts'

export const ENDINGS: readonly Ending[] = [...BY_REQUEST, ...BY_FAULT]

export function endingsNamed(names: readonly string[]): Ending[] {
  return names.map((name) => {
    const found = ENDINGS.find((ending) => ending.name === name)
    if (found !== undefined) return found
    throw new Error(`Expected one of ${ENDINGS.map((ending) => ending.name).join(', ')}, got ${name}`)
  })
}
