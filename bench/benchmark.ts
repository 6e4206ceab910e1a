import type { Component } from '../scripts/setup/component.ts'
import type { Row } from './contest.ts'

export interface BenchmarkOptions {
  readonly runs: number
  /** Empty, and removed afterwards. */
  readonly folder: string
  readonly signal: AbortSignal
  /** Names of contenders to leave out: for a look at a few of them. */
  readonly without: ReadonlySet<string>
}

export interface Benchmark {
  readonly name: string
  /** One line for `--list`. */
  readonly about: string
  readonly needs: readonly Component[]
  readonly runsDefault: number
  run(options: BenchmarkOptions): Promise<BenchmarkResult>
}

/** One line of `--json`. Figures are medians over runs in which all contenders took turns on the same machine. */
export interface BenchmarkResult {
  readonly name: string
  readonly unit: 'ms' | 's' | 'MiB/s' | 'MiB per CPU s'
  readonly ours: number
  /** Other programs at the same job, in the same unit. */
  readonly peers: Readonly<Record<string, number>>
  /** What cannot be beaten, in the same unit. */
  readonly ceiling: { readonly name: string; readonly value: number }
  /** How fast we are as a multiple of a peer: above 1 we are faster. */
  readonly ratios: Readonly<Record<string, number>>
  /** The most memory that any one of our processes had (MB of 1,000,000 bytes). */
  readonly rssMb: number
  readonly goal: string
  readonly met: boolean
  /** The parts of the goal that were not met. */
  readonly missed: readonly string[]
  /** Everything else that was measured, each name with its unit. */
  readonly details: Readonly<Record<string, number>>
  /** All contenders with all that was measured of them. */
  readonly table?: Readonly<Record<string, Row>>
  /** Peers that this machine does not have. */
  readonly absent?: readonly string[]
}

/** A part of a benchmark's goal. */
export interface Goal {
  readonly text: string
  readonly met: boolean
}

/** The goal for each of our processes while one operation runs. */
export const RSS_GOAL_MB = 300
/** ... and for the data worker while four run at once. */
export const RSS_BUSY_GOAL_MB = 512
