/**
 * A recovery key is 16 random bytes, written for people as eight groups of six digits: each group is eleven times a number of two
 * bytes, so that every mistyped digit and every two digits in the wrong order are told, with the group in which they are.
 */
import { randomBytes } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'

const KEY_BYTES = 16
const GROUPS = KEY_BYTES / 2
const GROUP_DIGITS = 6
const CHECK = 11

export function newRecoveryKey(): Uint8Array {
  return new Uint8Array(randomBytes(KEY_BYTES))
}

export function formatRecoveryKey(key: Uint8Array): string {
  const bytes = Buffer.from(key)
  return Array.from({ length: GROUPS }, (_, group) =>
    String(bytes.readUInt16BE(group * 2) * CHECK).padStart(GROUP_DIGITS, '0'),
  ).join('-')
}

/** What was typed or read from a file: anything may stand between the digits but other digits. Throws `invalid` with what is wrong. */
export function parseRecoveryKey(text: string): Uint8Array {
  const digits = text.replaceAll(/[\s-]/g, '')
  if (!/^\d*$/.test(digits)) throw invalid('digits, dashes and spaces alone')
  if (digits.length !== GROUPS * GROUP_DIGITS) {
    throw invalid(`${GROUPS} groups of ${GROUP_DIGITS} digits, got ${digits.length} digits`)
  }
  const bytes = Buffer.alloc(KEY_BYTES)
  for (let group = 0; group < GROUPS; group += 1) {
    const value = Number(digits.slice(group * GROUP_DIGITS, (group + 1) * GROUP_DIGITS))
    if (value % CHECK !== 0 || value / CHECK > 0xff_ff)
      throw invalid(`group ${group + 1} to be right, it is not`)
    bytes.writeUInt16BE(value / CHECK, group * 2)
  }
  return new Uint8Array(bytes)
}

function invalid(expected: string): DriverError {
  return new DriverError('invalid', `Expected in the recovery key ${expected}`)
}
