/** A bucket that a real Cinder and a real volflow share. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { S3Place } from '../checker/installation.ts'
import { type CountingProxy, startCountingProxy } from '../faults/proxy.ts'
import { type CinderService, startCinder } from '../support/cinder/cinder-service.ts'
import { startVersityGw } from '../support/s3-servers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'

const BUCKET = 'volumebackups'

export interface SharedBucket {
  readonly installation: Installation
  readonly place: S3Place
  /** Counts what volflow sends and gets. */
  readonly proxy: CountingProxy
  /** Takes seconds to start, and not every test needs it. */
  readonly cinder: () => Promise<CinderService>
}

/** The target `cinder` of the installation is that bucket. Everything ends with the test. */
export async function startWithCinder(): Promise<SharedBucket> {
  const server = await startVersityGw(await tempDir())
  onTestFinished(() => server.stop())
  await server.createBucket(BUCKET)
  const proxy = await startCountingProxy(Number(new URL(server.endpoint).port))
  onTestFinished(() => proxy.stop())
  const { region, accessKeyId, secretAccessKey } = server
  const endpoint = `http://127.0.0.1:${proxy.port}`
  const target = { driver: 's3', endpoint, region, bucket: BUCKET, credentialsFile: 'cinder.json' }
  const installation = await Installation.start({
    config: { cinderTargets: { cinder: target } },
    prepare: (dataFolder) => {
      mkdirSync(dataFolder, { recursive: true })
      const credentials = JSON.stringify({ accessKeyId, secretAccessKey })
      writeFileSync(join(dataFolder, 'cinder.json'), credentials, { mode: 0o600 })
      return () => undefined
    },
  })
  onTestFinished(() => installation[Symbol.asyncDispose]())
  const place = {
    kind: 's3',
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
    bucket: BUCKET,
    prefix: '',
  } as const
  const cinder = async () => {
    const started = await startCinder({ driver: 's3', server, bucket: BUCKET })
    onTestFinished(() => started.stop())
    return started
  }
  return { installation, place, proxy, cinder }
}
