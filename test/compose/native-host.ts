/** Runs what docker-compose.yml says without Docker: the same commands, environment and checks, on this machine's own programs. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ComposeFile, ROOT, type Service } from './compose-file.ts'
import { acceptsConnections } from '../../scripts/ports.ts'

/** The ports inside the containers. Each service has a health port of its own behind the last one. */
const PORTS = [5432, 7233, 7234, 7235, 7239, 6933, 6934, 6935, 6939, 7243, 7070, 8080, 8780]
const HEALTH_PORT = 8781

/** A service as it can be started here. */
export interface NativeService {
  readonly name: string
  readonly image: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly healthArgv: readonly string[]
}

/** Folder and ports of one run; rewrites host names, ports and paths, and nothing else. */
export class NativeHost {
  readonly folder: string
  readonly secretsFolder: string
  readonly #file: ComposeFile
  readonly #ports = new Map<string, number>()

  private constructor(folder: string, file: ComposeFile) {
    this.folder = folder
    this.secretsFolder = join(folder, 'secrets')
    this.#file = file
  }

  static async create(folder: string, file: ComposeFile): Promise<NativeHost> {
    const host = new NativeHost(folder, file)
    const names = [...PORTS.map(String), ...Object.keys(file.services).map((name) => `health of ${name}`)]
    const ports = await freeLowPorts(names.length)
    names.forEach((name, index) => host.#ports.set(name, ports[index] ?? 0))
    await mkdir(join(folder, 'bin'), { recursive: true })
    // Whoever a program runs as must reach its own files below.
    await chmod(folder, 0o711)
    await writeFile(join(folder, 'bin/volflow'), script(process.execPath, `${ROOT}dist/workers/main.js`), {
      mode: 0o755,
    })
    return host
  }

  port(inContainer: number): number {
    return this.#ports.get(String(inContainer)) ?? 0
  }

  /** Where a volume of the file is here. */
  volume(name: string): string {
    return join(this.folder, 'volumes', name)
  }

  /** Where the service has its files; what is at `/PATH` in the container is at `PATH` in it. */
  folderOf(name: string): string {
    return join(this.folder, 'services', name)
  }

  async prepare(name: string): Promise<NativeService> {
    const service = this.#service(name)
    await mkdir(join(this.folderOf(name), 'tmp'), { recursive: true })
    for (const volume of service.volumes)
      await mkdir(this.volume(volume.split(':')[0] ?? ''), { recursive: true })
    await this.#mountSecrets(name, service)
    for (const { source, target } of service.configs) {
      const path = this.#config(name, target)
      await mkdir(join(path, '..'), { recursive: true })
      const text = await readFile(join(ROOT, this.#file.configs[source]?.file ?? ''), 'utf8')
      await writeFile(path, this.#rewrite(name, text), { mode: 0o755 })
    }
    const words = [...(service.entrypoint.length === 0 && service.build !== undefined ? ['volflow'] : [])]
    const rewritten = (list: readonly string[]) => list.map((word) => this.#rewrite(name, word))
    const [, ...health] = service.healthcheck?.test ?? []
    return {
      name,
      image: service.image,
      argv: [...words, ...rewritten(service.entrypoint), ...rewritten(service.command)],
      healthArgv: rewritten(health),
      env: await this.#environment(name, service),
    }
  }

  /** Those that it is given, and no other. */
  async #mountSecrets(name: string, { secrets }: Service): Promise<void> {
    const folder = this.#config(name, '/run/secrets')
    await mkdir(folder, { recursive: true })
    for (const secret of secrets) {
      await writeFile(join(folder, secret), await readFile(join(this.secretsFolder, secret)), { mode: 0o444 })
    }
  }

  #service(name: string): Service {
    const service = this.#file.services[name]
    if (service === undefined) throw new Error(`Expected a service ${name}`)
    return service
  }

  #config(service: string, target: string): string {
    return join(this.folderOf(service), target)
  }

  async #environment(name: string, service: Service): Promise<Record<string, string>> {
    const ofImage = service.build === undefined ? {} : await dockerfileEnvironment()
    const both = Object.entries({ ...ofImage, ...service.environment })
    return {
      ...Object.fromEntries(both.map(([key, value]) => [key, this.#rewrite(name, value)])),
      PATH: `${join(this.folder, 'bin')}:${process.env.PATH ?? ''}`,
      TMPDIR: join(this.folderOf(name), 'tmp'),
      HOME: join(this.folderOf(name), 'tmp'),
    }
  }

  /** Host names, ports and paths of the container become those of this machine. */
  #rewrite(name: string, text: string): string {
    const service = this.#service(name)
    const hosts = Object.keys(this.#file.services).join('|')
    const ports = [...PORTS, HEALTH_PORT].join('|')
    const paths = [
      ['/run/secrets', this.#config(name, '/run/secrets')],
      ...service.configs.map(({ target }) => [target, this.#config(name, target)]),
      ...service.volumes.map((volume) => {
        const [source = '', target = ''] = volume.split(':')
        return [target, this.volume(source)]
      }),
      // The data folder itself, below which the volumes are mounted.
      ['/var/lib/volflow', join(this.folder, 'volumes')],
    ] as const
    const withPaths = paths.reduce((done, [from = '', to = '']) => done.replaceAll(path(from), to), text)
    return withPaths
      .replaceAll(new RegExp(`(?<=[/@ :"]|^)(?:${hosts})(?=:(?:${ports})\\b)`, 'gm'), '127.0.0.1')
      .replaceAll(new RegExp(`(?<=host: |--endpoint )(?:${hosts})\\b`, 'g'), '127.0.0.1')
      .replaceAll('0.0.0.0', '127.0.0.1')
      .replaceAll(/(?<=^):(?=\d+$)/g, '127.0.0.1:')
      .replaceAll(new RegExp(`\\b(?:${ports})\\b`, 'g'), (port) => {
        const key = port === String(HEALTH_PORT) ? `health of ${name}` : port
        return String(this.#ports.get(key))
      })
  }
}

/** Temporal keeps its members' ports in a column for numbers up to 32,767; the kernel gives out higher ones. */
async function freeLowPorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let port = 20_000 + (process.pid % 10_000); ports.length < count; port++) {
    if (!(await acceptsConnections(port))) ports.push(port)
  }
  return ports
}

/** A path of a container that is not a part of one that has been rewritten. */
function path(text: string): RegExp {
  return new RegExp(`(?<![\\w/.-])${text.replaceAll('.', '\\.')}(?![\\w-])`, 'g')
}

/** What our image sets: `ENV NAME=VALUE …` with continued lines and comments between them. */
async function dockerfileEnvironment(): Promise<Record<string, string>> {
  const lines = (await readFile(join(ROOT, 'Dockerfile'), 'utf8'))
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
  const block = /^ENV (.*)$/m.exec(lines.join('\n').replaceAll('\\\n', ' '))?.[1] ?? ''
  return Object.fromEntries(
    [...block.matchAll(/(\w+)=(\S+)/g)].map(([, key = '', value = '']) => [key, value]),
  )
}

function script(...words: readonly string[]): string {
  return `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`
}
