import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { VolflowClient } from '../../sdk/client.ts'
import { tempDir } from '../support/temp-dir.ts'
import { startTemporalServer } from '../support/temporal-server.ts'
import { runCommand, startService } from './service-process.ts'
import { freePort } from '../../scripts/ports.ts'

const NAMESPACE = 'storage'
const SERVICES = ['control-worker', 'data-worker', 'api'] as const
const PATIENCE = { timeout: 30_000, interval: 200 }

test(
  'the services run apart, say when they lose their server, and find it again',
  { timeout: 150_000 },
  async () => {
    const folder = await tempDir()
    const dbFile = join(folder, 'temporal.db')
    const temporal = await startTemporalServer({ dbFile })
    const [, port = ''] = temporal.address.split(':')
    const apiPort = await freePort()
    const shared = {
      VOLFLOW_DATA: folder,
      VOLFLOW_TEMPORAL_PORT: port,
      VOLFLOW_TEMPORAL_NAMESPACE: NAMESPACE,
      VOLFLOW_API_PORT: String(apiPort),
      VOLFLOW_IDENTITY_AUTH_TYPE: 'none',
      TMPDIR: folder,
    }
    const healthPorts = new Map<string, string>()
    for (const service of SERVICES) healthPorts.set(service, String(await freePort()))
    const envOf = (service: string) => ({ ...shared, VOLFLOW_HEALTH_PORT: healthPorts.get(service) ?? '' })
    const health = (service: string) =>
      runCommand('health', envOf(service)).then(({ stdout }) => stdout.trim())

    const first = await runCommand('prepare', shared)
    expect(first.stdout).toContain(`The Temporal namespace ${NAMESPACE} has the search attributes.`)
    // Again: all of it is there, and nothing is wrong with that.
    expect((await runCommand('prepare', shared)).stdout).toBe(first.stdout)

    const running = SERVICES.map((service) => startService(service, envOf(service)))
    await vi.waitFor(async () => {
      expect(await health('api')).toBe('api is healthy: database, temporal')
      expect(await health('control-worker')).toBe('control-worker is healthy: database, temporal, worker')
      expect(await health('data-worker')).toBe('data-worker is healthy: database, temporal, worker')
    }, PATIENCE)

    await temporal.kill9()
    for (const service of SERVICES) {
      await vi.waitFor(
        () => expect(health(service)).rejects.toThrow(`${service} is not healthy. temporal:`),
        PATIENCE,
      )
    }
    const again = await startTemporalServer({ dbFile, port: Number(port) })
    await vi.waitFor(() => Promise.all(SERVICES.map(health)), PATIENCE)

    const client = new VolflowClient({ baseUrl: `http://127.0.0.1:${apiPort}` })
    const { operation } = await client.createVolume({ name: 'apart', sizeBytes: 2 ** 20 })
    expect(await client.waitForOperation(operation.id)).toMatchObject({ state: 'succeeded' })

    running.forEach((service) => service.kill('SIGTERM'))
    for (const service of running) expect((await service.exited).failure).toBeUndefined()
    await expect(health('data-worker')).rejects.toThrow('No service answers')
    await again.stop()
  },
)

test('a worker that starts before its server says what it waits for', async () => {
  const folder = await tempDir()
  const port = await freePort()
  const worker = startService('data-worker', {
    VOLFLOW_DATA: folder,
    VOLFLOW_TEMPORAL_PORT: String(port),
    TMPDIR: folder,
  })
  await vi.waitFor(
    () => expect(worker.log()).toContain(`waiting for Temporal at 127.0.0.1:${port}`),
    PATIENCE,
  )
  worker.kill('SIGTERM')
  const { stderr } = await worker.exited
  expect(stderr).toContain(`Stopped while waiting for Temporal at 127.0.0.1:${port}`)
  await access(join(folder, 'volflow.db'))
})
