import { createHash } from 'node:crypto'

/** Whether `name` is among the sample: which ones are, the seed decides, the same ones each time. */
export function isSampled(seed: string, name: string, percent: number): boolean {
  return percent >= 100 || percentile(`${seed} ${name}`) < percent
}

/** Uniform over 0 to 100. */
function percentile(text: string): number {
  return (createHash('sha256').update(text).digest().readUInt32LE(0) / 2 ** 32) * 100
}
