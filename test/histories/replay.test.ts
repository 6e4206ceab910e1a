import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js'
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker'
import { expect, test } from 'vitest'
import { OPERATION_KINDS } from '../../domain/operations.ts'

const FOLDER = import.meta.dirname
const recordings = (await readdir(FOLDER, { recursive: true })).filter((name) => name.endsWith('.json')).toSorted()

test('every workflow has a recorded history', () => {
  const recorded = new Set(recordings.map((name) => dirname(name)))
  expect([...recorded].toSorted()).toEqual([...OPERATION_KINDS, 'recover', 'scheduled-backup'].toSorted())
})

test('the workflows of today replay every recorded history', async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') })
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  })
  const histories = await Promise.all(
    recordings.map(async (name) => ({
      workflowId: name,
      history: historyFromJSON(JSON.parse(await readFile(join(FOLDER, name), 'utf8'))),
    })),
  )
  const failures = []
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
    if (error !== undefined) failures.push(`${workflowId}: ${error.message}`)
  }
  expect(failures).toEqual([])
}, 60_000)
