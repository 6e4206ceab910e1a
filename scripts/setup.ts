/** `npm run setup`: everything that the demo and the tests need, without running them. */
import { ceph } from './setup/ceph.ts'
import { cinder } from './setup/cinder.ts'
import { debianImage } from './setup/debian-image.ts'
import { openstackClients } from './setup/openstack-clients.ts'
import { postgres } from './setup/postgres.ts'
import { pythonReader } from './setup/python.ts'
import { qemu } from './setup/qemu.ts'
import { minio, versitygw } from './setup/s3-servers.ts'
import { setUp } from './setup/set-up.ts'
import { temporal } from './setup/temporal.ts'

await setUp([
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
])
