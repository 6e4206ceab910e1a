import { randomUUID } from 'node:crypto'
import { access, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { expect, onTestFinished, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until } from './steps.ts'

const PRELOAD = new URL('../faults/crash-around-start.ts', import.meta.url).href

test('an API killed between commit and dispatch, on either side: exactly one workflow runs', async () => {
  const orderFile = join(await tempDir(), 'order')
  const env = { NODE_OPTIONS: `--import ${PRELOAD}`, VOLFLOW_TEST_CRASH: orderFile }
  await using installation = await Installation.start({ env })
  const connection = await Connection.connect({ address: installation.temporalAddress })
  onTestFinished(() => connection.close())
  for (const moment of ['before', 'after'] as const) {
    await writeFile(orderFile, moment)
    const pid = await installation.servicePid('api')
    const idempotencyKey = randomUUID()
    const request = () => installation.client.createVolume({ sizeBytes: MiB }, { idempotencyKey })
    // The answer may or may not get out before the end.
    await request().catch(() => undefined)
    await until('the crash', () =>
      access(orderFile).then(
        () => false,
        () => true,
      ),
    )
    await until('another API', async () => (await installation.servicePid('api').catch(() => pid)) !== pid)
    await until('an answer', () =>
      installation.client.listVolumes().then(
        () => true,
        () => false,
      ),
    )
    const { operation } = await request()
    await ended(installation, operation)
    const runs = []
    const query = `WorkflowId = "create-volume/${operation.id}"`
    const { workflow } = new Client({ connection })
    await until('visibility', async () => (await workflow.count(query)).count > 0)
    for await (const run of workflow.list({ query })) runs.push(run.runId)
    expect(runs).toHaveLength(1)
  }
  const { items } = await installation.client.listOperations()
  expect(items.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
    'create-volume succeeded',
    'create-volume succeeded',
  ])
  await expectClean(installation.checked())
}, 180_000)

test('one idempotency key, twenty times at once: one operation, one volume', async () => {
  await using installation = await Installation.start()
  const idempotencyKey = randomUUID()
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      installation.client.createVolume({ sizeBytes: MiB }, { idempotencyKey }),
    ),
  )
  expect(new Set(answers.map(({ operation }) => operation.id)).size).toBe(1)
  const [first] = answers
  if (first !== undefined) await ended(installation, first.operation)
  expect((await installation.client.listVolumes()).items).toHaveLength(1)
  expect((await installation.client.listOperations()).items).toHaveLength(1)
  await expectClean(installation.checked())
}, 180_000)
