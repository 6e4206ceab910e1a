import { Client, Connection } from '@temporalio/client'
import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { sharedTemporal } from '../support/shared-temporal.ts'
import { checkHistories } from './histories.ts'

test('a workflow without an operation, still running, with a secret in its input, is found', async () => {
  const address = await sharedTemporal()
  const connection = await Connection.connect({ address })
  onTestFinished(() => connection.close())
  const secret = `canary-${randomUUID()}`
  const workflowId = `checker/${randomUUID()}`
  // Nobody serves this queue: the workflow stays as it is.
  const handle = await new Client({ connection }).workflow.start('nothing', {
    ...{ workflowId, taskQueue: workflowId, args: [{ deep: [{ secret }] }] },
  })
  onTestFinished(async () => void (await handle.terminate()))
  const needles = [{ label: 'the canary', bytes: Buffer.from(secret) }]
  const find = () => checkHistories({ address, namespace: 'default' }, [], needles)
  await expect
    .poll(find, { timeout: 20_000 })
    .toEqual(
      expect.arrayContaining([
        `temporal: workflow ${workflowId} is still running`,
        `temporal: workflow ${workflowId} has no operation`,
        `secret: the canary is in the history of workflow ${workflowId}`,
      ]),
    )
})
