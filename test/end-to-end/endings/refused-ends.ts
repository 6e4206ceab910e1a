import { runSql } from '../run-sql.ts'
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
export function refuseEnds({ installation }: Scene): () => void {
  const { refuse, accept } = installation.checked().database === undefined ? SQLITE : POSTGRES
  runSql(installation, refuse)
  return () => void runSql(installation, accept)
}
