import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3'
import { startServer, type ServerProcess } from './server-process.ts'
import { acceptsConnections, freePort } from '../../scripts/ports.ts'

export interface S3Server extends ServerProcess {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  createBucket(name: string): Promise<void>
}

const REGION = 'us-east-1'
const CREDENTIALS = { accessKeyId: 'volflow-test', secretAccessKey: 'volflow-test-secret' }

/** S3 over `folder`, whose file system must have extended attributes. `port` brings a killed server back at its address. */
export async function startVersityGw(folder: string, port?: number): Promise<S3Server> {
  return startS3(port, (address) => ({
    program: 'versitygw',
    args: ['--quiet', '--port', address, 'posix', folder],
    env: { ROOT_ACCESS_KEY: CREDENTIALS.accessKeyId, ROOT_SECRET_KEY: CREDENTIALS.secretAccessKey },
  }))
}

export async function startMinio(folder: string, port?: number): Promise<S3Server> {
  return startS3(port, (address) => ({
    program: 'minio',
    args: ['server', '--quiet', '--address', address, folder],
    env: {
      MINIO_ROOT_USER: CREDENTIALS.accessKeyId,
      MINIO_ROOT_PASSWORD: CREDENTIALS.secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      // It keeps certificates there, and will not start without a home.
      HOME: folder,
    },
  }))
}

interface S3Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

async function startS3(
  fixedPort: number | undefined,
  command: (address: string) => S3Command,
): Promise<S3Server> {
  let endpoint = ''
  const server = await startServer(async () => {
    const port = fixedPort ?? (await freePort())
    endpoint = `http://127.0.0.1:${port}`
    return {
      ...command(`127.0.0.1:${port}`),
      isReady: async () => (await acceptsConnections(port)) && (await answers(endpoint)),
    }
  })
  const createBucket = async (name: string) => {
    await withClient(endpoint, (client) => client.send(new CreateBucketCommand({ Bucket: name })))
  }
  return { ...server, ...CREDENTIALS, endpoint, region: REGION, createBucket }
}

async function answers(endpoint: string): Promise<boolean> {
  return withClient(endpoint, (client) => client.send(new ListBucketsCommand())).then(
    () => true,
    () => false,
  )
}

async function withClient<Result>(
  endpoint: string,
  use: (client: S3Client) => Promise<Result>,
): Promise<Result> {
  const client = new S3Client({
    endpoint,
    region: REGION,
    credentials: CREDENTIALS,
    forcePathStyle: true,
    maxAttempts: 1,
  })
  try {
    return await use(client)
  } finally {
    client.destroy()
  }
}
