import { execFileSync } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import type { Scene } from './scene.ts'

const CONDITION = `new.finished_at is not null`

const SQLITE = {
  refuse: `create trigger held before update of finished_at on operations when ${CONDITION}
    begin select raise(abort, 'held by the test'); end`,
  accept: 'drop trigger held',
}

const POSTGRES = {
  refuse: `create function held() returns trigger language plpgsql as
    $$ begin raise exception 'held by the test'; end $$;
    create trigger held before update of finished_at on operations for each row when (${CONDITION}) execute function held()`,
  accept: 'drop trigger held on operations; drop function held()',
}

/** The database writes no operation's end until the answer is called: all stay between their commit point and their end. */
export function refuseEnds(scene: Scene): () => void {
  const { database } = scene.checked()
  if (database === undefined) {
    onSqlite(scene, SQLITE.refuse)
    return () => onSqlite(scene, SQLITE.accept)
  }
  onPostgres(database, POSTGRES.refuse)
  return () => onPostgres(database, POSTGRES.accept)
}

function onSqlite(scene: Scene, text: string): void {
  const database = new DatabaseSync(scene.inData('volflow.db'), { timeout: 10_000 })
  try {
    database.exec(text)
  } finally {
    database.close()
  }
}

function onPostgres({ url, password }: { url: string; password: string }, text: string): void {
  const env = { PATH: process.env.PATH, PGPASSWORD: password }
  execFileSync('psql', ['--no-psqlrc', '-q', '-v', 'ON_ERROR_STOP=1', '-c', text, url], { env })
}
