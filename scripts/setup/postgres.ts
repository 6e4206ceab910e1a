import { aptInstall, aptRemedy } from './apt.ts'
import { runInstallerAsRoot } from './command.ts'
import type { Component } from './component.ts'
import { locate } from './locate.ts'

const PACKAGES = ['postgresql']
const SETTINGS = '/etc/postgresql-common/createcluster.conf'

/** The other kind of database. The tests start servers of their own: installing it starts none. */
export const postgres: Component = {
  title: 'PostgreSQL',
  remedy: aptRemedy(PACKAGES),
  isPresent: () => ['postgres', 'initdb', 'pg_ctl', 'psql'].every((program) => locate(program) !== undefined),
  install: async () => {
    await aptInstall(['postgresql-common'])
    await withoutDefaultCluster(() => aptInstall(PACKAGES))
  },
}

/** Debian's package makes a database cluster and starts it as a service, unless this file says otherwise at that moment. */
async function withoutDefaultCluster(work: () => Promise<void>): Promise<void> {
  const original = `${SETTINGS}.volflow`
  await runInstallerAsRoot('cp', ['--preserve', SETTINGS, original])
  try {
    await runInstallerAsRoot('pg_conftool', [SETTINGS, 'set', 'create_main_cluster', 'off'])
    await work()
  } finally {
    await runInstallerAsRoot('mv', [original, SETTINGS])
  }
}
