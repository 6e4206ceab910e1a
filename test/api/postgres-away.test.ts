import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../database/open.ts'
import { MiB } from '../../domain/sizes.ts'
import { makeDatabase, startPostgres } from '../support/postgres-server.ts'
import { startApi } from './start-api.ts'

test('while the database is away every request gets 503, and afterwards the same service goes on', async () => {
  const server = await startPostgres()
  onTestFinished(() => server.remove())
  const database = await openDatabase(await makeDatabase(server.admin))
  onTestFinished(() => database.destroy())
  const { client } = await startApi({ database })
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  await server.stop()
  const unavailable = {
    status: 503,
    code: 'databaseUnavailable',
    message: 'Expected an answer of the database, got none. Try again in a moment.',
  }
  // The first finds its connection broken, the second finds none.
  await expect(client.showOperation(operation.id)).rejects.toMatchObject(unavailable)
  await expect(client.createVolume({ sizeBytes: MiB })).rejects.toMatchObject(unavailable)
  await server.startAgain()
  expect((await client.listOperations()).items.map(({ id }) => id)).toEqual([operation.id])
  expect((await client.createVolume({ sizeBytes: MiB })).volume).toMatchObject({ status: 'creating' })
})
