import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { z } from 'zod'
import { CliError, EXIT } from '../cli/exit-codes.ts'
import type { Config } from '../config/config.ts'
import type { Database } from '../database/open.ts'
import { LIMITS } from '../domain/limits.ts'

/** Rejects with what is wrong. */
export type Check = () => Promise<unknown>

const HEALTH = z.object({
  service: z.string(),
  healthy: z.boolean(),
  /** What was checked -> `ok`, or what is wrong. */
  checks: z.record(z.string(), z.string()),
})

export type Health = z.infer<typeof HEALTH>

/**
 * Answers on the configured port whether this process can do its work: 200 or 503, with a `Health` as JSON. A process that hangs
 * does not answer, and one that lost a connection says so. Without a port it does nothing.
 */
export async function serveHealth(
  { health: { host, port } }: Config,
  service: string,
  checks: Readonly<Record<string, Check>>,
): Promise<{ close(): void }> {
  if (port === undefined) return { close: () => {} }
  const server = createServer((_request, response) => {
    void runChecks(service, checks).then((health) => {
      response.writeHead(health.healthy ? 200 : 503, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(health)}\n`)
    })
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen({ host, port }, resolve)
  await promise
  return {
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** `volflow health`: asks the process that has our configuration. Throws, for the exit code, when it is not well. */
export async function askHealth({ health: { host, port } }: Config): Promise<Health> {
  if (port === undefined)
    throw new CliError(
      EXIT.usage,
      'no-health-port',
      'Expected a port. Set health.port or VOLFLOW_HEALTH_PORT.',
    )
  const url = `http://${host}:${port}`
  const signal = AbortSignal.timeout(2 * LIMITS.healthCheckMs)
  const answer = await fetch(url, { signal }).catch((error: Error) => {
    throw new CliError(EXIT.unreachable, 'unreachable', `No service answers at ${url}: ${error.message}`)
  })
  const health = HEALTH.parse(await answer.json())
  if (health.healthy) return health
  const wrong = Object.entries(health.checks).filter(([, state]) => state !== OK)
  const list = wrong.map(([name, state]) => `${name}: ${state}`).join('; ')
  throw new CliError(EXIT.failed, 'unhealthy', `${health.service} is not healthy. ${list}`)
}

export function databaseCheck(database: Database): Check {
  return () => sql`select 1`.execute(database)
}

const OK = 'ok'

async function runChecks(service: string, checks: Readonly<Record<string, Check>>): Promise<Health> {
  const entries = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
  )
  return { service, healthy: entries.every(([, state]) => state === OK), checks: Object.fromEntries(entries) }
}

async function outcomeOf(check: Check): Promise<string> {
  const late = sleep(LIMITS.healthCheckMs, `no answer within ${LIMITS.healthCheckMs / 1000} s`, {
    ref: false,
  })
  const done = check().then(
    () => OK,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  return Promise.race([done, late])
}
