import { afterAll, beforeAll } from 'vitest'
import { type S3Server, startMinio, startVersityGw } from '../../support/s3-servers.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { describeBackupTarget } from './contract.ts'

for (const [name, start] of [
  ['VersityGW', startVersityGw],
  ['MinIO', startMinio],
] as const) {
  let server: S3Server
  let buckets = 0
  beforeAll(async () => {
    server = await start(await tempDir())
  })
  afterAll(() => server.stop())

  describeBackupTarget(name, async () => {
    buckets += 1
    const bucket = `bucket-${buckets}`
    await server.createBucket(bucket)
    const { endpoint, region, accessKeyId, secretAccessKey } = server
    return { driver: 's3', endpoint, region, accessKeyId, secretAccessKey, bucket, prefix: 'some/prefix' }
  })
}
