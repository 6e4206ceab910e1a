/** A process of its own that makes operations: `node event-writer.ts FILE COUNT`. SQLite in one process would wait for itself. */
import { openDatabase } from '../../database/open.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES } from './database-fixture.ts'

const [file = '', count = '0'] = process.argv.slice(2)
const database = await openDatabase(file)
for (let n = 0; n < Number(count); n += 1) {
  const { operationId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, operationId)
}
await database.destroy()
