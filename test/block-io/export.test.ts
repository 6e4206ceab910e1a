import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { BlockDevice } from '../../block-io/device.ts'
import { serveDevice } from '../../block-io/export.ts'
import { runProcess, startProcess } from '../../block-io/process.ts'
import { openReader } from '../../block-io/reader.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { tempDir } from '../support/temp-dir.ts'
import { asQcow2, isAlive, processesMentioning, qcow2Device, sparseFile } from './devices.ts'

async function serve(device: BlockDevice, confined: boolean, signal?: AbortSignal) {
  const socketDirectory = await tempDir()
  const server = await serveDevice(device, { socketDirectory, confined, ...(signal && { signal }) })
  onTestFinished(() => server.close())
  return { server, socketDirectory }
}

async function readAll(device: BlockDevice, confined: boolean): Promise<Buffer> {
  const { server } = await serve(device, confined)
  const reader = await openReader(server.spec)
  const content = Buffer.alloc(device.sizeBytes)
  await reader.read(content, 0)
  await reader.close()
  return content
}

async function smallImage(...options: string[]) {
  const raw = await sparseFile(join(await tempDir(), 'raw'), 8 * MiB, [{ atMiB: 1, sizeMiB: 3 }])
  return { raw, content: await readFile(raw.plainFile ?? ''), image: await asQcow2(raw, ...options) }
}

test.each([true, false])(
  'a qcow2 is served with the bytes that it holds (confined: %s)',
  async (confined) => {
    const { image, content } = await smallImage()
    expect((await readAll(image, confined)).equals(content)).toBe(true)
  },
)

test('a compressed qcow2 of many clusters is served within the limits of the sandbox', async () => {
  const { image, content } = await smallImage('-c', '-o', 'cluster_size=4k')
  expect((await readAll(image, true)).equals(content)).toBe(true)
})

test('a raw file of a user is served confined, and never as what its first bytes claim', async () => {
  const { raw: source } = await smallImage()
  const path = `${source.plainFile}.qcow2`
  const { size } = await stat(path)
  const raw = { sizeBytes: size, blockdev: { driver: 'raw', file: { driver: 'file', filename: path } } }
  expect((await readAll(raw, true)).equals(await readFile(path))).toBe(true)
})

test('what the sandbox could not reach itself is read for it by another server, which ends with it', async () => {
  const { image, content } = await smallImage()
  const { file } = image.blockdev
  if (typeof file !== 'object') throw new Error('Expected a file')
  const elsewhere = { ...image.blockdev, file: { driver: 'raw', file } }
  const { server, socketDirectory } = await serve({ ...image, blockdev: elsewhere }, true)
  const reader = await openReader(server.spec)
  const read = Buffer.alloc(image.sizeBytes)
  await reader.read(read, 0)
  expect(read.equals(content)).toBe(true)
  await reader.close()
  expect(await readdir(socketDirectory)).toHaveLength(2)
  await server.close()
  expect(await readdir(socketDirectory)).toEqual([])
  expect(await processesMentioning(socketDirectory)).toEqual([])
})

test('the backing file that a user names is not read by a confined server', async () => {
  const folder = await tempDir()
  const path = join(folder, 'evil.qcow2')
  const { size } = await stat('/etc/passwd')
  await runProcess('qemu-img', ['create', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', path, String(MiB)])
  const evil = qcow2Device(path, MiB)
  // The image does what it claims to: unconfined it shows the file.
  expect((await readAll(evil, false)).subarray(0, size).equals(await readFile('/etc/passwd'))).toBe(true)
  expect((await readAll(evil, true)).equals(Buffer.alloc(MiB))).toBe(true)
})

test('the external data file that a user names cannot be opened by a confined server', async () => {
  const folder = await tempDir()
  const path = join(folder, 'evil.qcow2')
  const secret = await sparseFile(join(folder, 'secret'), MiB, [{ atMiB: 0, sizeMiB: 1 }])
  await runProcess('qemu-img', [
    'create',
    '-f',
    'qcow2',
    '-o',
    `data_file=${join(folder, 'own')},data_file_raw=on`,
    path,
    String(MiB),
  ])
  await runProcess('qemu-img', ['amend', '-f', 'qcow2', '-o', `data_file=${secret.plainFile}`, path]).catch(
    () => undefined,
  )
  await expect(serve(qcow2Device(path, MiB), true)).rejects.toMatchObject({ name: 'DriverError' })
})

test('what is swapped in under the name of a served image is not read', async () => {
  const { image, content, raw } = await smallImage()
  const { server } = await serve(image, true)
  await rename(String(raw.plainFile), `${raw.plainFile}.qcow2`)
  const reader = await openReader(server.spec)
  const bytes = Buffer.alloc(8 * MiB)
  await reader.read(bytes, 0)
  expect(bytes.equals(content)).toBe(true)
  await reader.close()
})

test.each([true, false])(
  'the socket is for us alone, and closing leaves no process and no file (confined: %s)',
  async (confined) => {
    const { image } = await smallImage()
    const { server, socketDirectory } = await serve(image, confined)
    const folder = dirname(server.spec.socketPath)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    const pids = await processesMentioning(confined ? folder : server.spec.socketPath)
    expect(pids.length).toBeGreaterThan(0)
    await server.close()
    await server.close()
    expect(await readdir(socketDirectory)).toEqual([])
    for (const pid of pids) expect(await isAlive(pid)).toBe(false)
  },
)

test('abort ends the server, and close still removes its folder', async () => {
  const abort = new AbortController()
  const { image } = await smallImage()
  const { server, socketDirectory } = await serve(image, true, abort.signal)
  abort.abort(new Error('cancelled'))
  expect(await server.ended()).toMatchObject({ name: 'DriverError' })
  await server.close()
  expect(await readdir(socketDirectory)).toEqual([])
})

test.each(['not an image', 'QFI\u00fb\u0000\u0000\u0000\u0003 rest of a header'])(
  '"%s" as qcow2 is refused without leaving anything',
  async (text) => {
    const socketDirectory = await tempDir()
    const path = join(socketDirectory, 'image')
    await writeFile(path, Buffer.from(text, 'latin1'))
    const refused = serveDevice(qcow2Device(path, MiB), { socketDirectory, confined: true })
    await expect(refused).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
    expect(await readdir(socketDirectory)).toEqual(['image'])
  },
)

test('a device that is not one file cannot be served confined', async () => {
  const device = {
    sizeBytes: MiB,
    blockdev: { driver: 'vmdk', file: { driver: 'file', filename: '/etc/passwd' } },
  }
  await expect(serve(device, true)).rejects.toMatchObject({ kind: 'unsupported' })
})

test('kill -9 of our process ends a confined server with everything in it', async () => {
  const folder = await tempDir()
  const { image } = await smallImage()
  const module = new URL('../../block-io/export.ts', import.meta.url).pathname
  const program = join(folder, 'parent.ts')
  await writeFile(
    program,
    `import { serveDevice } from ${JSON.stringify(module)}
     await serveDevice(${JSON.stringify(image)}, { socketDirectory: ${JSON.stringify(folder)}, confined: true })
     console.log('serving')
     setInterval(() => {}, 1000)`,
  )
  let serving = false
  const parent = startProcess(process.execPath, [program], {
    onStdoutLine: (line) => (serving ||= line === 'serving'),
  })
  await vi.waitFor(() => expect(serving).toBe(true), LIMITS.exportStartMs)
  const pids = await processesMentioning(join(folder, 'nbd-'))
  expect(pids.length).toBeGreaterThanOrEqual(2)
  parent.kill('SIGKILL')
  await parent.exited
  await vi.waitFor(async () => expect(await processesMentioning(join(folder, 'nbd-'))).toEqual([]), 3_000)
})
