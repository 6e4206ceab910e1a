import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startProcess, type ProcessExit } from '../../block-io/process.ts'
import { tempDir } from '../support/temp-dir.ts'

const steps = {
  setup: 'true',
  lint: 'true',
  types: 'true',
  'format:check': 'true',
  knip: 'true',
  demo: 'true',
}

test('the last line adds one for each step to the counts of the tests', async () => {
  const { stdout, failure } = await runCi({ ...steps, test: 'echo 7 passed, 0 failed, 2 skipped' })
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('13 passed, 0 failed, 2 skipped')
  expect(failure).toBeUndefined()
})

test('a failing step fails the run, and the steps after it still run', async () => {
  const { stdout, failure } = await runCi({
    ...steps,
    lint: 'false',
    test: 'echo 7 passed, 1 failed, 0 skipped; false',
  })
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('12 passed, 2 failed, 0 skipped')
  expect(stdout).toMatch(/^lint +FAILED, exit 1/m)
  expect(stdout).toMatch(/^demo +ok/m)
  expect(failure?.message).toContain('exit status 1')
})

test('tests that end without their counts are a failure', async () => {
  const { stdout, failure } = await runCi({ ...steps, test: 'echo starting; false' })
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('6 passed, 1 failed, 0 skipped')
  expect(failure?.message).toContain('exit status 1')
})

/** Runs the real script in a repository whose npm scripts do nothing but what the test says. */
async function runCi(scripts: Record<string, string>): Promise<ProcessExit> {
  const root = await tempDir()
  await cp('.ci', join(root, '.ci'), { recursive: true })
  await writeFile(join(root, 'package.json'), JSON.stringify({ scripts }))
  return startProcess(join(root, '.ci', 'run'), [], { env: { HOME: root } }).exited
}
