import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startProcess, type ProcessExit } from '../../block-io/process.ts'
import { tempDir } from '../support/temp-dir.ts'

test('the last line counts what passed, failed and was skipped', async () => {
  const { stdout, failure } = await runTests({
    'a.test.ts': `
      test('passes', () => {})
      test.skip('is skipped', () => {})
      test.todo('is to be written')
      describe('a group', () => { test('fails', () => { throw new Error('no') }) })`,
  })
  expect(lastLine(stdout)).toBe('1 passed, 1 failed, 2 skipped')
  expect(failure?.message).toContain('exit status 1')
})

test('a file that cannot be loaded, a failing hook and an uncaught error are failures', async () => {
  const { stdout, failure } = await runTests({
    'collect.test.ts': `throw new Error('cannot be loaded')`,
    'hook.test.ts': `beforeAll(() => { throw new Error('no') })\ntest('never runs', () => {})`,
    'uncaught.test.ts': `test('passes', () => { setTimeout(() => { throw new Error('late') }) ; return new Promise((done) => setTimeout(done, 50)) })`,
  })
  expect(lastLine(stdout)).toBe('1 passed, 3 failed, 1 skipped')
  expect(failure?.message).toContain('exit status 1')
})

test('a run in which every test passes succeeds', async () => {
  const { stdout, failure } = await runTests({ 'a.test.ts': `test('passes', () => {})` })
  expect(lastLine(stdout)).toBe('1 passed, 0 failed, 0 skipped')
  expect(failure).toBeUndefined()
})

test('a run without a test fails, and so does one in which all were skipped', async () => {
  const none = await runTests({})
  expect(lastLine(none.stdout)).toBe('0 passed, 0 failed, 0 skipped')
  expect(none.failure?.message).toContain('exit status 1')
  const skipped = await runTests({ 'a.test.ts': `test.skip('is skipped', () => {})` })
  expect(lastLine(skipped.stdout)).toBe('0 passed, 0 failed, 1 skipped')
  expect(skipped.failure?.message).toContain('exit status 1')
})

async function runTests(files: Record<string, string>): Promise<ProcessExit> {
  const root = await tempDir()
  const config = join(root, 'vitest.config.js')
  await writeFile(config, 'export default { test: { globals: true } }')
  await mkdir(join(root, 'test'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, 'test', name), text)
  const home = process.env.HOME ?? root
  const args = ['scripts/test.ts', '--root', root, '--config', config]
  return startProcess(process.execPath, args, { env: { HOME: home } }).exited
}

function lastLine(text: string): string | undefined {
  return text.trimEnd().split('\n').at(-1)
}
