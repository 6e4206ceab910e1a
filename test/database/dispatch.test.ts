import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { undispatchedOperations } from '../../database/operations/dispatch.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, PLACES, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

test('what is to be started is taken from the projects in turns', async () => {
  for (const project of ['many', 'many', 'many', 'few', 'few']) {
    await requestVolume(database, actor(project), PLACES, { sizeBytes: MiB })
  }
  const projects = (await undispatchedOperations(database, 4)).map(({ projectId }) => projectId)
  expect(projects).toEqual(['many', 'few', 'many', 'few'])
})
