/** One statement on an installation's database, from outside and without waiting, so that a test can undo it when it is over. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Installation } from './installation.ts'

export type Value = string | number | null

const NULL = '~null~'

/** `?` stand for `values`. The rows of a statement that selects one column as `value`. */
export function runSql(installation: Installation, text: string, values: Value[] = []): { value: Value }[] {
  const { database } = installation.checked()
  if (database === undefined) return onSqlite(installation, text, values)
  const literals = values.values()
  return onPostgres(
    database,
    text.replaceAll('?', () => literal(literals.next().value ?? null)),
  )
}

function onSqlite({ dataFolder }: Installation, text: string, values: Value[]) {
  const database = new DatabaseSync(join(dataFolder, 'volflow.db'), { timeout: 10_000 })
  try {
    return database.prepare(text).all(...values) as { value: Value }[]
  } finally {
    database.close()
  }
}

function onPostgres({ url, password }: { url: string; password: string }, text: string) {
  const env = { PATH: process.env.PATH, PGPASSWORD: password }
  const plain = ['--no-psqlrc', '-q', '-A', '-t', '-P', `null=${NULL}`, '-v', 'ON_ERROR_STOP=1']
  const output = execFileSync('psql', [...plain, '-c', text, url], { env, encoding: 'utf8' })
  const lines = output.split('\n').filter((line) => line !== '')
  return lines.map((line) => ({ value: line === NULL ? null : line }))
}

function literal(value: Value): string {
  return typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value)
}
