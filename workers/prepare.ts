import type { Config } from '../config/config.ts'
import { readSecret } from '../config/secrets.ts'
import { bootstrapIdentity, isBootstrapped } from '../database/identity/bootstrap.ts'
import type { Database } from '../database/open.ts'
import { prepareTarget } from '../drivers/backups/registry.ts'
import { openConfiguredDatabase } from './database-file.ts'
import { createLogger } from './logger.ts'
import { openTargets } from './places.ts'
import { prepareNamespace } from './prepare-namespace.ts'
import { shutdownSignal } from './shutdown.ts'
import { createConnection, temporalAddress } from './temporal-connection.ts'
import { waitFor } from './wait-for.ts'

/**
 * Makes what an installation needs and does not have, and leaves alone what is there: run it before the first start and after every
 * update. Needs the right to do so on the Temporal server, in the database and in S3.
 */
export async function prepare(config: Config): Promise<void> {
  const waiting = { logger: createLogger('prepare'), signal: shutdownSignal() }
  const database = await openConfiguredDatabase(config, waiting)
  say('The database schema is up to date.')
  await prepareAdministrator(config, database)
  await database.destroy()
  const connection = await createConnection(config)
  const { namespace } = config.temporal
  await waitFor(
    `the namespace ${namespace} of Temporal at ${temporalAddress(config)}`,
    () => prepareNamespace(connection, namespace),
    waiting,
  )
  await connection.close()
  say(`The Temporal namespace ${namespace} has the search attributes.`)
  for (const [name, target] of await openTargets(config)) {
    await waitFor(`the target ${name}`, () => prepareTarget(target), waiting)
    say(`The target ${name} is there.`)
  }
}

/** Only where there is nobody: what was changed since stays. */
async function prepareAdministrator({ identity }: Config, database: Database): Promise<void> {
  const { authType, adminPasswordFile: file } = identity
  if (authType !== 'own' || file === undefined || (await isBootstrapped(database))) return
  await bootstrapIdentity(database, { name: 'admin', password: await readSecret(file) })
  say(`The administrator admin was made, with the password in ${file}.`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
