import { ceph } from './ceph.ts'
import { cinder } from './cinder.ts'
import { debianImage } from './debian-image.ts'
import { gophercloud } from './gophercloud.ts'
import { openstackClients } from './openstack-clients.ts'
import { postgres } from './postgres.ts'
import { pythonReader } from './python.ts'
import { qemu } from './qemu.ts'
import { minio, versitygw } from './s3-servers.ts'
import { temporal } from './temporal.ts'

/** What the demo and `npm test` need. */
export const COMPONENTS = [
  qemu,
  temporal,
  postgres,
  versitygw,
  minio,
  ceph,
  cinder,
  openstackClients,
  gophercloud,
  pythonReader,
  debianImage,
]
