/** `npm test [-- FILTER… OPTIONS…]`: sets up, runs vitest, and ends with the true counts. `--long` runs the *.long.ts files instead. */
import { parseCLI, startVitest } from 'vitest/node'
import { countTests, describeCounts } from './count-tests.ts'
import { ceph } from './setup/ceph.ts'
import { cinder } from './setup/cinder.ts'
import { debianImage } from './setup/debian-image.ts'
import { keystone } from './setup/keystone.ts'
import { openstackClients } from './setup/openstack-clients.ts'
import { postgres } from './setup/postgres.ts'
import { pythonReader } from './setup/python.ts'
import { qemu } from './setup/qemu.ts'
import { minio, versitygw } from './setup/s3-servers.ts'
import { setUp } from './setup/set-up.ts'
import { temporal } from './setup/temporal.ts'
import { temporalServer, temporalSqlTool, temporalWebUi } from './setup/temporal-cluster.ts'

const args = process.argv.slice(2)
const forLong = args.includes('--long') ? [temporalServer, temporalSqlTool, temporalWebUi, keystone] : []
const components = [
  qemu,
  temporal,
  postgres,
  versitygw,
  minio,
  ceph,
  cinder,
  openstackClients,
  pythonReader,
  debianImage,
]
await setUp([...components, ...forLong])

const { filter, options } = parseCLI(['vitest', 'run', ...args.filter((arg) => arg !== '--long')])
if (args.includes('--long')) process.env.VOLFLOW_TEST_LONG = '1'
const vitest = await startVitest(filter, options)
const counts = countTests(vitest.state.getTestModules(), vitest.state.getUnhandledErrors())
await vitest.close()
console.log(describeCounts(counts))
const ranNothing = counts.passed + counts.failed === 0
process.exit(counts.failed > 0 || ranNothing ? 1 : 0)
