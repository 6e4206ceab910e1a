import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { runProcess, startProcess } from '../../block-io/process.ts'
import { DriverError } from '../../domain/errors.ts'
import { MiB } from '../../domain/sizes.ts'
import { tempDir } from '../support/temp-dir.ts'
import { childrenOf, isAlive, processesMentioning } from './devices.ts'

test('a program gets PATH, LANG and what was asked for, and nothing of our environment', async () => {
  vi.stubEnv('SECRET_OF_THE_WORKER', 'x')
  const { stdout } = await runProcess('env', [], { env: { PGPASSFILE: '/dev/null' } })
  const names = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0])
  expect(new Set(names)).toEqual(new Set(['LANG', 'PATH', 'PGPASSFILE']))
  vi.unstubAllEnvs()
})

test('a missing program is reported with the Debian package that has it', async () => {
  const withoutPrograms = { env: { PATH: await tempDir() } }
  await expect(runProcess('qemu-img', ['--version'], withoutPrograms)).rejects.toMatchObject({
    kind: 'invalid',
    message: expect.stringMatching(/setpriv .*Debian package util-linux/),
  })
  await expect(runProcess('no-such-program', [])).rejects.toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining('no-such-program'),
  })
})

test.each([
  ['No space left on device', 'full'],
  ['Failed to get "write" lock', 'busy'],
  ['No such file or directory', 'notFound'],
  ['Image is corrupt; cannot be opened read/write', 'invalid'],
  ['Connection reset by peer', 'transient'],
] as const)('"%s" on stderr becomes the kind %s', async (text, kind) => {
  const failed = runProcess('sh', ['-c', `echo first >&2; echo '${text}' >&2; exit 3`])
  await expect(failed).rejects.toMatchObject({
    name: 'DriverError',
    kind,
    message: `Expected sh to succeed, got exit status 3: first; ${text}`,
  })
})

test('a file size limit that is hit becomes the kind full', async () => {
  const path = join(await tempDir(), 'file')
  const args = ['if=/dev/zero', `of=${path}`, 'bs=1M', 'count=4']
  await expect(runProcess('dd', args, { limits: { fileSizeBytes: MiB } })).rejects.toMatchObject({
    kind: 'full',
  })
})

test('a long stderr is quoted by its end only, and a long stdout ends the program', async () => {
  const noisy = runProcess('sh', ['-c', 'yes long-line-of-noise | head -n 100000 >&2; exit 1'])
  const error = await noisy.catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(DriverError)
  expect(String(error).length).toBeLessThan(1200)
  await expect(runProcess('yes', [], { stdoutMaxBytes: 10_000 })).rejects.toMatchObject({ kind: 'invalid' })
})

test('abort rejects with the reason of the signal, after the program and its children are gone', async () => {
  const path = join(await tempDir(), 'pid')
  const abort = new AbortController()
  const running = runProcess('sh', ['-c', `trap '' TERM; echo $$ > ${path}; sleep 60 & wait`], {
    signal: abort.signal,
  })
  await vi.waitFor(async () => expect(await readFile(path, 'utf8').catch(() => '')).toMatch(/\d+\n/))
  const pid = Number(await readFile(path, 'utf8'))
  const grandchildren = await childrenOf(pid)
  expect(grandchildren).toHaveLength(1)
  abort.abort(new Error('cancelled by the user'))
  await expect(running).rejects.toThrow('cancelled by the user')
  for (const ended of [pid, ...grandchildren]) expect(await isAlive(ended)).toBe(false)
})

test('a program that takes too long is killed and reported as transient', async () => {
  await expect(runProcess('sleep', ['60'], { timeoutMs: 50 })).rejects.toMatchObject({
    kind: 'transient',
    message: 'Expected sleep to finish within 50 ms, it did not',
  })
})

test('stop kills what ignores SIGTERM', { timeout: 10_000 }, async () => {
  const child = startProcess('sh', ['-c', 'trap "" TERM; echo ready; while true; do sleep 0.1; done'])
  await new Promise((resolve) => setTimeout(resolve, 200))
  await child.stop()
  expect(await isAlive(child.pid ?? 0)).toBe(false)
  expect((await child.exited).failure?.message).toContain('SIGKILL')
})

test('kill -9 of the process that started a program ends the program', async () => {
  const folder = await tempDir()
  const program = join(folder, 'parent.ts')
  const module = new URL('../../block-io/process.ts', import.meta.url).pathname
  await writeFile(
    program,
    `import { startProcess } from ${JSON.stringify(module)}\nconsole.log(startProcess('sleep', ['61']).pid)\nsetInterval(() => {}, 1000)\n`,
  )
  let childPid = 0
  const parent = startProcess(process.execPath, [program], {
    onStdoutLine: (line) => (childPid = Number(line)),
  })
  await vi.waitFor(() => expect(childPid).toBeGreaterThan(0), 5_000)
  // setpriv needs a moment to ask the kernel for this.
  await vi.waitFor(async () => expect((await processesMentioning('sleep 61')).length).toBe(1), 5_000)
  parent.kill('SIGKILL')
  await parent.exited
  await vi.waitFor(async () => expect(await isAlive(childPid)).toBe(false), 2_000)
})

test('lines of a progress meter arrive one by one', async () => {
  const lines: string[] = []
  await runProcess('printf', ['10%%\\r20%%\\rdone\\n'], { onStdoutLine: (line) => lines.push(line) })
  expect(lines).toEqual(['10%', '20%', 'done'])
})
