import type { Row } from './contest.ts'
import type { Usage } from './peers/run-peer.ts'
import type { Stored } from './s3-place.ts'
import { VOLUME_MIB } from './sample-volume.ts'

/** What it took to move the sample volume. MiB are of the volume, zeroes included. */
export function rowOf({ seconds, cpuSeconds, peakRssBytes }: Usage, stored?: Stored): Row {
  return {
    'MiB/s': VOLUME_MIB / seconds,
    'MiB per CPU s': VOLUME_MIB / cpuSeconds,
    'peak RSS MB': peakRssBytes / 1_000_000,
    ...(stored && {
      'stored MiB/s': stored.mib / seconds,
      'stored MiB': stored.mib,
      objects: stored.objects,
    }),
  }
}

/** Where the time counts, and not the bytes. */
export function timeRow({ seconds, cpuSeconds, peakRssBytes }: Usage): Row {
  return { seconds, 'CPU seconds': cpuSeconds, 'peak RSS MB': peakRssBytes / 1_000_000 }
}

/** Of a loop over objects. */
export function loopRow(mibPerSecond: number): Row {
  return { 'stored MiB/s': mibPerSecond }
}

export type Figures = ReturnType<typeof figuresOf>

export function figuresOf(table: Readonly<Record<string, Row>>) {
  return {
    table,
    /** NaN for who did not take part: no goal is met then. */
    of: (contestant: string, column: string): number => table[contestant]?.[column] ?? Number.NaN,
    /** Of those that took part. */
    column: (column: string, contestants: readonly string[]): Record<string, number> =>
      Object.fromEntries(
        contestants.flatMap((name) => {
          const value = table[name]?.[column]
          return value === undefined ? [] : [[name, value]]
        }),
      ),
  }
}
