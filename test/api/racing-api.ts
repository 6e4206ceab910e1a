/** `node racing-api.ts <place of the database, as JSON>`: an API in a process of its own. Prints its port; ends with its standard input. */
import { pino } from 'pino'
import { createApi } from '../../api/app.ts'
import { noAuthentication } from '../../api/identity/none.ts'
import { type DatabasePlace, openDatabase } from '../../database/open.ts'
import { PLACES } from '../database/database-fixture.ts'

const [place = ''] = process.argv.slice(2)
const unused = () => Promise.reject(new Error('Expected races to be among requests'))
const notARace = () => {
  throw new Error('Expected races to be about storage')
}
const database = await openDatabase(JSON.parse(place) as DatabasePlace)
const app = createApi({
  database,
  dispatch: () => Promise.resolve(),
  cancel: unused,
  retry: unused,
  abandon: unused,
  authentication: noAuthentication,
  places: PLACES,
  imageStores: new Map(),
  webhooks: { checkUrl: notARace, secretOf: notARace },
  logger: pino({ enabled: false }),
  isReady: async () => ({ ready: true, checks: {} }),
})
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
process.stdin.resume().once('end', () => process.exit())
