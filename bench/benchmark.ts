import type { Component } from '../scripts/setup/component.ts'

export interface BenchmarkOptions {
  readonly runs: number
  /** Empty, and removed afterwards. */
  readonly folder: string
  readonly signal: AbortSignal
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
  readonly unit: 'ms' | 's' | 'MiB/s'
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
  /** Everything else that was measured, each name with its unit. */
  readonly details: Readonly<Record<string, number>>
}

/** The goal for each of our processes while one operation runs. */
export const RSS_GOAL_MB = 300
