import { Connection } from '@temporalio/client'
import { access, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runProcess } from '../../block-io/process.ts'
import { locate } from '../../scripts/setup/locate.ts'
import { startMinio, startVersityGw } from './s3-servers.ts'
import { sharedTemporal } from './shared-temporal.ts'
import { makeQcow2Image, makeRawImage, sha256OfFile } from './small-images.ts'
import { tempDir } from './temp-dir.ts'
import { startTemporalServer } from './temporal-server.ts'

const MiB = 1024 * 1024

test('every question for the shared Temporal server gets the same, usable server', async () => {
  const [address, again] = await Promise.all([sharedTemporal(), sharedTemporal()])
  expect(again).toBe(address)
  const connection = await Connection.connect({ address })
  await connection.close()
})

test('a Temporal server that was killed comes back at its address with its database', async () => {
  const dbFile = join(await tempDir(), 'temporal.db')
  const first = await startTemporalServer({ dbFile })
  await first.kill9()
  const second = await startTemporalServer({ dbFile, port: Number(first.address.split(':')[1]) })
  expect(second.address).toBe(first.address)
  expect(second.pid).not.toBe(first.pid)
  await second.stop()
  expect(() => process.kill(second.pid, 0)).toThrow('ESRCH')
})

test.skipIf(locate('versitygw') === undefined)('VersityGW starts, makes a bucket and ends', async () => {
  const folder = await tempDir()
  const server = await startVersityGw(folder)
  await server.createBucket('backups')
  expect((await stat(join(folder, 'backups'))).isDirectory()).toBe(true)
  await server.stop()
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
})

test.skipIf(locate('minio') === undefined)('MinIO starts, makes a bucket and ends', async () => {
  const folder = await tempDir()
  const server = await startMinio(folder)
  await server.createBucket('backups')
  expect((await stat(join(folder, 'backups'))).isDirectory()).toBe(true)
  await server.stop()
  expect(() => process.kill(server.pid, 0)).toThrow('ESRCH')
})

test('a small qcow2 image has the bytes of its raw twin', async () => {
  const folder = await tempDir()
  const content = { sizeBytes: 8 * MiB, data: [{ offset: 3 * MiB, length: MiB + 17, seed: 1 }] }
  const rawSha256 = await makeRawImage(join(folder, 'a.raw'), content)
  const sha256 = await makeQcow2Image(join(folder, 'a.qcow2'), content, { compressed: true })
  expect(sha256).toBe(rawSha256)
  await runProcess('qemu-img', [
    'convert',
    '-f',
    'qcow2',
    '-O',
    'raw',
    join(folder, 'a.qcow2'),
    join(folder, 'b.raw'),
  ])
  expect(await sha256OfFile(join(folder, 'b.raw'))).toBe(sha256)
})

let earlier = ''

test('a temporary folder exists while its test runs', async () => {
  earlier = await tempDir()
  await access(earlier)
})

test('a temporary folder is gone after its test', async () => {
  await expect(access(earlier)).rejects.toMatchObject({ code: 'ENOENT' })
})
