import {
  CreateBucketCommand,
  ListObjectVersionsCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { openTarget } from '../../../drivers/backups/registry.ts'
import { startMinio } from '../../support/s3-servers.ts'
import { tempDir } from '../../support/temp-dir.ts'

const LOCK_MS = 4_000

it('what object lock protects stays and is named; later it goes, with all of its versions', async () => {
  const server = await startMinio(await tempDir())
  onTestFinished(() => server.stop())
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  onTestFinished(() => client.destroy())
  const bucket = 'locked'
  await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }))
  const target = openTarget({ driver: 's3', endpoint, region, bucket, prefix: 'p', ...credentials })
  onTestFinished(() => target.close())
  for (const key of ['c/free.1', 'c/kept.1', 'c/twice.1']) await target.putIfAbsent(key, Buffer.from(key))
  const stored = await target.get('c/twice.1')
  await target.replace('c/twice.1', Buffer.from('again'), stored?.version ?? '')
  const until = new Date(Date.now() + LOCK_MS)
  await client.send(
    new PutObjectRetentionCommand({
      Bucket: bucket,
      Key: 'p/c/kept.1',
      Retention: { Mode: 'COMPLIANCE', RetainUntilDate: until },
    }),
  )
  const keys = ['c/free.1', 'c/kept.1', 'c/twice.1']
  expect(await target.deleteMany(keys)).toEqual({ locked: ['c/kept.1'] })
  expect((await target.get('c/kept.1'))?.bytes.toString()).toBe('c/kept.1')
  const versions = async () => {
    const { Versions = [], DeleteMarkers = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket }),
    )
    return [...Versions, ...DeleteMarkers].map(({ Key }) => Key)
  }
  expect(await versions()).toEqual(['p/c/kept.1'])
  await sleep(until.getTime() - Date.now() + 1000)
  expect(await target.deleteMany(keys)).toEqual({ locked: [] })
  expect(await versions()).toEqual([])
})
