/** A process of its own that makes operations: `node event-writer.ts PLACE COUNT`. SQLite in one process would wait for itself. */
import { type DatabasePlace, openDatabase } from '../../database/open.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES } from './database-fixture.ts'

const [place = '', count = '0'] = process.argv.slice(2)
const database = await openDatabase(JSON.parse(place) as DatabasePlace)
for (let n = 0; n < Number(count); n += 1) {
  const { operationId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, operationId)
}
await database.destroy()
