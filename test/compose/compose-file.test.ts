import { execFileSync } from 'node:child_process'
import { access, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import { LIMITS } from '../../domain/limits.ts'
import { runProcess } from '../../block-io/process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type ComposeFile, readComposeFile, ROOT, type Service, startOrder } from './compose-file.ts'

const hasCompose = await runProcess('docker', ['compose', 'version']).then(
  () => true,
  () => false,
)

let file: ComposeFile
let services: [string, Service][]

beforeAll(async () => {
  file = await readComposeFile()
  services = Object.entries(file.services)
})

/** Of each service, the names that break a rule. */
function offenders(breaksRule: (service: Service, name: string) => boolean): string[] {
  return services.filter(([name, service]) => breaksRule(service, name)).map(([name]) => name)
}

const runsForLong = ({ restart }: Service) => restart === 'unless-stopped'

describe('docker-compose.yml', () => {
  test('starts nothing before what it depends on, and all of it can be started', () => {
    expect(startOrder(file.services)).toHaveLength(services.length)
  })

  test('waits for health only where there is a check, and for an end only where there is one', () => {
    const wrong = services.flatMap(([name, service]) =>
      Object.entries(service.depends_on)
        .filter(([needed, { condition }]) => {
          const other = file.services[needed]
          if (other === undefined) return true
          return condition === 'service_healthy' ? other.healthcheck === undefined : runsForLong(other)
        })
        .map(([needed]) => `${name} -> ${needed}`),
    )
    expect(wrong).toEqual([])
  })

  test('checks the health of whatever runs for long, restarts it, and gives it time to stop', () => {
    expect(offenders((one) => runsForLong(one) !== (one.healthcheck !== undefined))).toEqual([])
    expect(offenders((one) => runsForLong(one) && one.stop_grace_period === undefined)).toEqual([])
  })

  test('gives our processes the time after which they end by themselves', () => {
    const ours = services.filter(([, one]) => one.image.startsWith('volflow:') && runsForLong(one))
    expect(ours.map(([name]) => name)).toEqual(['control-worker', 'data-worker', 'api'])
    for (const [, { stop_grace_period: seconds = 0 }] of ours) {
      expect(seconds * 1000).toBeGreaterThan(LIMITS.shutdownForceMs)
      expect(seconds * 1000).toBeLessThanOrEqual(LIMITS.serviceStopMs)
    }
  })

  test('names an exact version of each image, and ours is the one of package.json', async () => {
    expect(offenders(({ image }) => !/:v?\d+\.\d+(\.\d+)?$/.test(image))).toEqual([])
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
    expect(file.services['api']?.image).toBe(`volflow:${version}`)
  })

  test('publishes ports of the loopback address alone', () => {
    expect(offenders(({ ports }) => ports.some((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port)))).toEqual([])
  })

  test('takes rights away: no capabilities, no new ones, a read-only file system, limits', () => {
    expect(offenders((one) => !one.cap_drop.includes('ALL'))).toEqual([])
    expect(offenders((one) => !one.security_opt.includes('no-new-privileges:true'))).toEqual([])
    expect(offenders((one) => !one.read_only)).toEqual(['temporal-ui'])
    expect(offenders((one) => one.cap_add.length > 0)).toEqual(['s3-folder'])
    // bubblewrap.
    expect(offenders((one) => one.security_opt.length > 1)).toEqual(['data-worker'])
  })

  test('declares what its services use, and its services use what it declares', () => {
    const used = (names: (service: Service) => readonly string[]) =>
      [...new Set(services.flatMap(([, service]) => names(service)))].toSorted()
    expect(used((one) => one.secrets)).toEqual(Object.keys(file.secrets).toSorted())
    expect(used((one) => one.configs.map(({ source }) => source))).toEqual(
      Object.keys(file.configs).toSorted(),
    )
    expect(used((one) => one.volumes.map((volume) => volume.split(':')[0] ?? ''))).toEqual(
      Object.keys(file.volumes).toSorted(),
    )
    expect(used((one) => one.networks ?? [])).toEqual(Object.keys(file.networks).toSorted())
  })

  test('has no key that Compose does not know', () => {
    const known = ['name', 'services', 'networks', 'volumes', 'configs', 'secrets']
    expect(Object.keys(file).filter((key) => !known.includes(key) && !key.startsWith('x-'))).toEqual([])
  })

  test('mounts files that are there, and none of them holds a secret', async () => {
    for (const { file: path } of Object.values(file.configs)) {
      expect(await readFile(join(ROOT, path), 'utf8')).not.toMatch(/(password|secretAccessKey): *[^{\s]/i)
    }
    expect(
      offenders((one) => /password=|PASSWORD: /i.test(JSON.stringify([one.command, one.environment]))),
    ).toEqual([])
  })
})

test('the image is built from every folder of the product, and from no other', async () => {
  const tracked = execFileSync('git', ['ls-files', '*.ts'], { cwd: ROOT, encoding: 'utf8' })
  const folders = new Set(tracked.split('\n').flatMap((path) => /^([^/]+)\//.exec(path)?.[1] ?? []))
  const ignoring = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n')
  const sent = ignoring.flatMap((line) => /^!([a-z-]+)$/.exec(line)?.[1] ?? [])
  expect(sent.toSorted()).toEqual([...folders.difference(new Set(['bench', 'scripts', 'test']))].toSorted())
})

test('the secrets are made once, in a folder that is closed to others', async () => {
  const folder = join(await tempDir(), 'secrets')
  const make = () => execFileSync('sh', [join(ROOT, 'deploy/make-secrets.sh'), folder], { encoding: 'utf8' })
  make()
  for (const name of Object.keys(file.secrets)) {
    expect(join(ROOT, file.secrets[name]?.file ?? '')).toBe(join(ROOT, 'deploy/secrets', name))
    await access(join(folder, name))
  }
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  const key = await readFile(join(folder, 'backup.key'), 'utf8')
  expect(key).toMatch(/^[0-9a-f]{64}$/)
  expect(make()).toBe('')
  expect(await readFile(join(folder, 'backup.key'), 'utf8')).toBe(key)
})

test('volflow understands the configuration that is mounted, and finds each secret that it names', async () => {
  const config = await loadConfig('/var/lib/volflow', { VOLFLOW_CONFIG: join(ROOT, 'deploy/volflow.yaml') })
  const secrets = [
    config.backupKeyFile,
    config.webhooks.keyFile,
    config.database?.passwordFile,
    config.identity.adminPasswordFile,
    ...Object.values(config.targets).map((target) => (target.driver === 's3' ? target.credentialsFile : '')),
  ]
  expect(secrets).toEqual(
    ['backup.key', 'webhook.key', 'volflow-password', 'admin-password', 's3.json'].map(
      (name) => `/run/secrets/${name}`,
    ),
  )
})

// Neither passed nor skipped where there is nobody to ask.
if (hasCompose) {
  test('docker compose accepts the file', async () => {
    await runProcess('docker', ['compose', '--file', join(ROOT, 'docker-compose.yml'), 'config', '--quiet'])
  })
} else console.log('There is no `docker compose` here: only our own validation has seen docker-compose.yml.')
