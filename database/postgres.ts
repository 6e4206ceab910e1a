import { PostgresDialect, type PostgresPoolClient } from 'kysely'
import { DatabaseError, Pool, type PoolClient, type QueryResult, types } from 'pg'
import { DatabaseUnavailableError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

export interface PostgresPlace {
  /** `postgresql://user@host:5432/name`, without a password. */
  readonly url: string
  readonly password?: string
}

/** Types `int8`, and `numeric` for a sum of them: text in pg, though all our numbers are below 2^53. */
const NUMBERS: readonly number[] = [types.builtins.INT8, types.builtins.NUMERIC]

/** SQLSTATEs of a server that cannot work now: connection lost, out of something, told to stop, a broken disk, our own timeouts. */
const UNAVAILABLE = /^(?:08|53|57|58)|^25P03$/

/** PostgreSQL's `begin immediate`: one writer at a time, in the order in which they came. The number is ours alone. */
const BEGIN = 'begin; select pg_advisory_xact_lock(8780)'

/** A bounded pool of connections, on which nothing waits without an end. Nothing is connected before the first query. */
export function postgresDialect(place: PostgresPlace): PostgresDialect {
  const pool = new Pool({
    connectionString: withPassword(place),
    application_name: 'volflow',
    max: LIMITS.databaseConnections,
    connectionTimeoutMillis: LIMITS.databaseQueueMs,
    statement_timeout: LIMITS.databaseWaitMs,
    // The server says so first, unless nothing arrives from there any more.
    query_timeout: LIMITS.databaseWaitMs + LIMITS.databaseTurnIdleMs,
    idle_in_transaction_session_timeout: LIMITS.databaseTurnIdleMs,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        NUMBERS.includes(oid) ? Number : (types.getTypeParser(oid, format as 'text') as unknown),
    },
  })
  // Without these, a connection that breaks would end the process. Whoever uses it learns from its query.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return new PostgresDialect({
    pool: { options: {}, connect: () => connect(pool), end: () => pool.end() },
  })
}

/** As a parameter, because the URL of a unix socket has no room for a password. */
function withPassword({ url, password }: PostgresPlace): string {
  const complete = new URL(url)
  if (password !== undefined) complete.searchParams.set('password', password)
  return complete.href
}

async function connect(pool: Pool): Promise<PostgresPoolClient> {
  try {
    // Without cursors, which Kysely asks for only when it streams rows.
    return new Connection(await pool.connect()) as Pick<Connection, 'release'> as PostgresPoolClient
  } catch (error) {
    throw new DatabaseUnavailableError(error)
  }
}

/** Its texts have no NUL; one that came with an id or an error message must not make the statement fail. */
function storable(parameter: unknown): unknown {
  return typeof parameter === 'string' ? parameter.replaceAll('\0', '\ufffd') : parameter
}

/** What Kysely's PostgreSQL dialect needs of a connection, over one of pg. */
class Connection {
  readonly #client: PoolClient
  #isInTransaction = false
  #isBroken = false

  constructor(client: PoolClient) {
    this.#client = client
  }

  async query(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    if (sql === 'begin') {
      this.#isInTransaction = true
      return this.#send(BEGIN)
    }
    // A change on its own waits for its turn, too: it must not come in between what a transaction reads and writes.
    if (!this.#isInTransaction && /^(?:insert|update|delete) /.test(sql)) return this.#inTurn(sql, parameters)
    const result = await this.#send(sql, parameters)
    if (sql === 'commit' || sql === 'rollback') this.#isInTransaction = false
    return result
  }

  async #inTurn(sql: string, parameters: readonly unknown[]): Promise<QueryResult> {
    await this.#send(BEGIN)
    try {
      const result = await this.#send(sql, parameters)
      await this.#send('commit')
      return result
    } catch (error) {
      if (!this.#isBroken) await this.#send('rollback')
      throw error
    }
  }

  async #send(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult> {
    try {
      return await this.#client.query(sql, parameters.map(storable))
    } catch (error) {
      if (error instanceof DatabaseError && !UNAVAILABLE.test(error.code ?? '')) throw error
      this.#isBroken = true
      throw new DatabaseUnavailableError(error)
    }
  }

  release(isDiscarded?: boolean): void {
    this.#client.release(this.#isBroken || isDiscarded)
  }
}
