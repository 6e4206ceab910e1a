import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startCephCluster } from '../../scripts/ceph/cluster.ts'
import { searchPath } from '../../scripts/setup/locate.ts'
import { checkBlocklist } from './ceph-blocklist.ts'
import { describeCeph } from './ceph-cluster.ts'
import { startPostgresWithTemplate } from './postgres-template.ts'
import { startTemporalServer } from './temporal-server.ts'
import { listen } from '../../scripts/ports.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Parent of every temporary folder of this run. */
    scratchFolder: string
    /** Answers with the address of the run's Temporal server, which the first question starts. */
    temporalBrokerUrl: string
    /** Answers with the run's PostgreSQL server, which the first question starts. */
    postgresBrokerUrl: string
    /** Answers with the run's Ceph cluster, which the first question starts. */
    cephBrokerUrl: string
  }
}

/** Once per run, in the process that outlives the test workers: what they share, and its removal. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  process.env.PATH = searchPath().join(delimiter)
  const scratchFolder = await mkdtemp(join(tmpdir(), 'volflow-test-'))
  const temporal = await startBroker(
    startTemporalServer,
    ({ address }) => address,
    (server) => server.stop(),
  )
  const postgres = await startBroker(
    startPostgresWithTemplate,
    ({ url, password, template }) => JSON.stringify({ url, password, template }),
    (server) => server.remove(),
  )
  const ceph = await startBroker(startCephCluster, describeCeph, async (cluster) => {
    try {
      await checkBlocklist((...args) => cluster.admin('ceph', args))
    } finally {
      await cluster.stop()
    }
  })
  project.provide('cephBrokerUrl', ceph.url)
  project.provide('scratchFolder', scratchFolder)
  project.provide('temporalBrokerUrl', temporal.url)
  project.provide('postgresBrokerUrl', postgres.url)
  return async () => {
    await temporal.stop()
    await postgres.stop()
    try {
      await ceph.stop()
    } finally {
      await rm(scratchFolder, { recursive: true, force: true })
    }
  }
}

/** Most test files need no server, so it is started by the first that asks; everyone gets the same answer. */
async function startBroker<Server>(
  start: () => Promise<Server>,
  answer: (server: Server) => string,
  end: (server: Server) => Promise<void>,
): Promise<{ url: string; stop(): Promise<void> }> {
  let server: Promise<Server> | undefined
  const http = createServer((_request, response) => {
    server ??= start()
    server.then(
      (started) => response.end(answer(started)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  const port = await listen(http)
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      http.closeAllConnections()
      http.close()
      const started = await server?.catch(() => undefined)
      if (started !== undefined) await end(started)
    },
  }
}
