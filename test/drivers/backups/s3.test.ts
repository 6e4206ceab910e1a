import { randomBytes } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openTarget } from '../../../drivers/backups/registry.ts'
import { type S3Server, startMinio, startVersityGw } from '../../support/s3-servers.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { describeBackupTarget } from './contract.ts'
import { listen } from '../../../scripts/ports.ts'

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

  const makeSpec = async () => {
    buckets += 1
    const bucket = `bucket-${buckets}`
    await server.createBucket(bucket)
    const { endpoint, region, accessKeyId, secretAccessKey } = server
    return {
      driver: 's3',
      endpoint,
      region,
      accessKeyId,
      secretAccessKey,
      bucket,
      prefix: 'some/prefix',
    } as const
  }

  describeBackupTarget(name, makeSpec)

  test(`a body that was altered on its way to ${name} is refused by the server, and sent again`, async () => {
    const spec = await makeSpec()
    const bytes = randomBytes(100_000)
    const proxy = await startGarblingProxy(
      Number(new URL(spec.endpoint).port),
      bytes.subarray(50_000, 50_016),
    )
    onTestFinished(() => proxy.stop())
    const target = openTarget({ ...spec, endpoint: `http://127.0.0.1:${proxy.port}` })
    onTestFinished(() => target.close())
    expect(await target.putIfAbsent('c/a', bytes)).toBe('created')
    expect(proxy.garbled).toBe(true)
    expect((await target.get('c/a'))?.bytes.equals(bytes)).toBe(true)
  })
}

/** Flips a bit in the first of the marked bytes that a client sends, once. */
async function startGarblingProxy(upstreamPort: number, mark: Buffer) {
  let garbled = false
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => [client, upstream].forEach((end) => end.destroy()))
    }
    client.on('data', (bytes) => {
      const at = garbled ? -1 : bytes.indexOf(mark)
      if (at >= 0) {
        bytes[at] = (bytes[at] ?? 0) ^ 1
        garbled = true
      }
      upstream.write(bytes)
    })
    upstream.pipe(client)
  })
  const port = await listen(server)
  return {
    port,
    get garbled() {
      return garbled
    },
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
