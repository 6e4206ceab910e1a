import { expect, test } from 'vitest'
import { z } from 'zod'
import { startProcess, type ProcessExit } from '../../block-io/process.ts'

const RESULT = z.strictObject({
  name: z.string(),
  unit: z.enum(['ms', 's', 'MiB/s', 'MiB per CPU s']),
  ours: z.number().positive(),
  peers: z.record(z.string(), z.number()),
  ceiling: z.strictObject({ name: z.string(), value: z.number().positive() }),
  ratios: z.record(z.string(), z.number()),
  rssMb: z.number().positive(),
  goal: z.string(),
  met: z.boolean(),
  missed: z.array(z.string()),
  details: z.record(z.string(), z.number()),
})

test('the benchmarks are listed by name', async () => {
  const { stdout, failure } = await bench('--list')
  expect(failure).toBeUndefined()
  const names = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ', 1)[0])
  expect(names).toEqual([
    'api-latency',
    'api-page',
    'image-to-volume',
    'image-transfer',
    'backup',
    'restore',
    'incremental',
    'sparse',
    'scan',
    'recovery',
    'collect',
    'rbd-clone',
    'rbd-incremental',
    'rbd-flatten',
    'rbd-backup',
    'rbd-restore',
  ])
})

test('an unknown benchmark is a usage error that lists those there are', async () => {
  const { stdout, failure } = await bench('no-such')
  expect(failure?.message).toContain('exit status 2')
  expect(stdout).toContain('api-latency')
})

test('a benchmark ends with one line of JSON', { timeout: 120_000 }, async () => {
  const { stdout } = await bench('api-latency', '--runs', '3', '--json')
  // Not whether the goal was met: tests share the machine with others.
  const result = RESULT.parse(JSON.parse(stdout))
  expect(result).toMatchObject({ name: 'api-latency', unit: 'ms', details: { runs: 3 } })
  expect(result.details['p95 ms']).toBeGreaterThanOrEqual(result.ours)
})

function bench(...args: string[]): Promise<ProcessExit> {
  const { HOME = '/', TMPDIR = '/tmp' } = process.env
  return startProcess(process.execPath, ['bench/main.ts', ...args], { env: { HOME, TMPDIR } }).exited
}
