import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { RUN_TAG } from '../../block-io/process.ts'
import { killOrphans } from '../../workers/orphans.ts'

function sleeper(tag: string) {
  const child = spawn('sleep', ['60'], { env: { PATH: process.env.PATH, [RUN_TAG]: tag } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('what a dead worker left running is killed, and nothing of another one', async () => {
  const [left, other] = [sleeper('dead-worker'), sleeper('dead-worker-2')]
  await Promise.all([once(left, 'spawn'), once(other, 'spawn')])
  const ended = once(left, 'exit')
  await killOrphans('dead-worker')
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(other.exitCode).toBeNull()
  expect(other.signalCode).toBeNull()
})
