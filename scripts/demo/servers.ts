/** Programs that run while the demo or a benchmark does. They die with us, however we end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { type RunningProcess, startProcess } from '../../block-io/process.ts'
import { locate } from '../setup/locate.ts'
import { freePort } from '../ports.ts'

export interface S3Server {
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly bucket: string
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 20_000
const POLL_MS = 50
const BUCKET = 'backups'
const CREDENTIALS = { accessKeyId: 'volflow-demo', secretAccessKey: 'volflow-demo-secret' }

/** VersityGW over a folder, with one bucket; undefined where it is not installed. */
export async function startS3(folder: string, signal: AbortSignal): Promise<S3Server | undefined> {
  const program = locate('versitygw')
  if (program === undefined) return undefined
  return startServer(signal, (address) =>
    startProcess(program, ['--quiet', '--port', address, 'posix', folder], {
      env: { ROOT_ACCESS_KEY: CREDENTIALS.accessKeyId, ROOT_SECRET_KEY: CREDENTIALS.secretAccessKey },
      onStdoutLine: () => {},
    }),
  )
}

/** MinIO over a folder, with one bucket. */
export async function startMinio(folder: string, signal: AbortSignal): Promise<S3Server> {
  return startServer(signal, (address) =>
    startProcess(locate('minio') ?? 'minio', ['server', '--quiet', '--address', address, folder], {
      env: {
        MINIO_ROOT_USER: CREDENTIALS.accessKeyId,
        MINIO_ROOT_PASSWORD: CREDENTIALS.secretAccessKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
        // It keeps certificates there, and will not start without a home.
        HOME: folder,
      },
      onStdoutLine: () => {},
    }),
  )
}

async function startServer(
  signal: AbortSignal,
  start: (address: string) => RunningProcess,
): Promise<S3Server> {
  const address = `127.0.0.1:${await freePort()}`
  const server = start(address)
  const endpoint = `http://${address}`
  try {
    const ended = server.exited.then((exit) => exit.failure ?? new Error('the S3 server ended'))
    await untilMade(endpoint, ended, signal)
  } catch (error) {
    await server.stop()
    throw error
  }
  return { endpoint, ...CREDENTIALS, bucket: BUCKET, stop: () => server.stop() }
}

/** A server that makes a bucket is ready. */
async function untilMade(endpoint: string, ended: Promise<Error>, signal: AbortSignal): Promise<void> {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    credentials: CREDENTIALS,
    forcePathStyle: true,
    maxAttempts: 1,
  })
  const deadlineMs = Date.now() + START_TIMEOUT_MS
  try {
    for (;;) {
      signal.throwIfAborted()
      try {
        await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
        return
      } catch (error) {
        if (Date.now() > deadlineMs) throw error
        const early = await Promise.race([ended, sleep(POLL_MS)])
        if (early !== undefined) throw early
      }
    }
  } finally {
    client.destroy()
  }
}
