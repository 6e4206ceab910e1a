/** `npm run demo`: the main job on real bytes, from an image to a restored volume that boots, with a worker killed on the way. */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EXIT } from '../cli/exit-codes.ts'
import { untilInterrupted } from '../cli/interrupt.ts'
import { type Backend, type Installation, startInstallation, type Target } from './demo/installation.ts'
import { startCephCluster } from './ceph/cluster.ts'
import { type DemoOptions, parseOptions, USAGE } from './demo/options.ts'
import { type DemoResult, formatJson, formatTable } from './demo/report.ts'
import { type S3Proxy, startS3Proxy } from './demo/s3-proxy.ts'
import { startS3 } from './demo/servers.ts'
import { Show } from './demo/show.ts'
import { prepareSourceImage } from './demo/source-image.ts'
import { findLogin } from '../cli/credentials.ts'
import { VolflowClient } from '../sdk/client.ts'
import { Stage } from './demo/stage.ts'
import { runStory } from './demo/story.ts'
import { ceph } from './setup/ceph.ts'
import { debianImage } from './setup/debian-image.ts'
import { qemu } from './setup/qemu.ts'
import { versitygw } from './setup/s3-servers.ts'
import { setUp } from './setup/set-up.ts'
import { temporal } from './setup/temporal.ts'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let options
  try {
    options = parseOptions(args)
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${USAGE}`)
    return EXIT.usage
  }
  if (options === undefined) {
    console.log(USAGE)
    return EXIT.ok
  }
  const given = options
  const show = new Show(given.json ? process.stderr : process.stdout)
  try {
    const cluster = given.backend === 'rbd' ? [ceph] : []
    const servers = given.running === undefined ? [temporal, versitygw, ...cluster] : []
    await setUp([qemu, ...servers, ...(given.image === undefined ? [debianImage] : [])])
    const result = await untilInterrupted((signal) => demo(given, show, signal))
    if (result === 'interrupted') {
      show.line('Stopped. Everything that the demo had started and written is gone.')
      return EXIT.interrupted
    }
    return result.identical && result.booted !== false ? EXIT.ok : EXIT.failed
  } catch (error) {
    show.endProgress()
    console.error(messageOf(error))
    return EXIT.failed
  }
}

/** Everything it starts or writes is gone when it returns, however it ends. */
async function demo(options: DemoOptions, show: Show, signal: AbortSignal): Promise<DemoResult> {
  await using cleanUp = new AsyncDisposableStack()
  const startedMs = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'volflow-demo-'))
  cleanUp.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  cleanUp.defer(() => show.endProgress())
  const say = (line: string) => show.line(line)
  const source = await prepareSourceImage(folder, options, say, signal)
  const conclude = (result: DemoResult) => {
    report(result, show, (performance.now() - startedMs) / 1000)
    if (options.json) console.log(formatJson(result))
    return result
  }
  if (options.running !== undefined) {
    const { apiUrl, dataFolder } = options.running
    const login = findLogin(apiUrl, process.env)
    const tokens = login === undefined ? {} : { tokens: login.tokens }
    const installation = { client: new VolflowClient({ baseUrl: apiUrl, ...tokens }), dataFolder }
    show.heading(`Using the volflow at ${apiUrl}. What the demo makes there stays.`)
    return conclude(await runStory(new Stage({ installation, show, signal, folder }), source, undefined))
  }
  const { target, proxy } = await startTarget(folder, cleanUp, show, signal)
  const backend = options.backend === 'rbd' ? await startBackend(cleanUp, show) : undefined
  const targets = { [target.driver]: target }
  const installation = await startInstallation(join(folder, 'data'), targets, signal, {
    ...(backend && { backend }),
  })
  cleanUp.defer(() => installation.stop())
  show.heading(`volflow is up. Watch it in the Web UI: ${installation.webUiUrl}`)
  const result = conclude(await runStory(new Stage({ installation, show, signal, folder }), source, proxy))
  if (options.keep) await keep(installation, show, signal)
  return result
}

/** A pool of a real cluster, on this machine alone. */
async function startBackend(cleanUp: AsyncDisposableStack, show: Show): Promise<Backend> {
  show.line('Starting a Ceph cluster on this machine …')
  const cluster = await startCephCluster()
  cleanUp.defer(() => cluster.stop())
  const { user, confFile, keyringFile } = cluster
  return { driver: 'rbd', pool: 'volumes', user, confFile, keyringFile }
}

/** S3 with a proxy in front of it, which counts; else a directory. */
async function startTarget(
  folder: string,
  cleanUp: AsyncDisposableStack,
  show: Show,
  signal: AbortSignal,
): Promise<{ target: Target; proxy: S3Proxy | undefined }> {
  const path = join(folder, 'target')
  await mkdir(path)
  const server = await startS3(path, signal)
  if (server === undefined) {
    show.line('No S3 server could be had here: backups go to a directory.')
    return { target: { driver: 'directory', path }, proxy: undefined }
  }
  cleanUp.defer(() => server.stop())
  const proxy = await startS3Proxy(server.endpoint)
  cleanUp.defer(() => proxy.stop())
  const { bucket, accessKeyId, secretAccessKey } = server
  return { target: { driver: 's3', endpoint: proxy.endpoint, bucket, accessKeyId, secretAccessKey }, proxy }
}

function report({ identical, booted, steps }: DemoResult, show: Show, seconds: number): void {
  show.line('')
  show.line(formatTable(steps, show.stream))
  show.line('')
  const bytes = identical ? 'Every byte is what it had to be' : 'The bytes are NOT what they had to be'
  const up =
    booted === null
      ? ''
      : booted
        ? ', and the restored volume boots'
        : ', and the restored volume does NOT boot'
  show.heading(`${bytes}${up}. ${seconds.toFixed(0)} s in all.`)
}

async function keep(installation: Installation, show: Show, signal: AbortSignal): Promise<void> {
  show.line(`Still running, until Ctrl-C. Web UI: ${installation.webUiUrl}  API: ${installation.apiUrl}/docs`)
  show.line(`Try: npm run --silent volflow -- --url ${installation.apiUrl} volume list`)
  if (!signal.aborted) await once(signal, 'abort')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
