import { createServer } from 'node:net'
import type { Config } from '../config/config.ts'

/** Throws with the setting to change when a port that `up` needs is taken: its programs would fail one by one otherwise. */
export async function checkPorts({ api, temporal }: Config): Promise<void> {
  await checkPort('api.port', api.host, api.port)
  await checkPort('temporal.port', temporal.host, temporal.port)
  await checkPort('temporal.uiPort', temporal.host, temporal.uiPort)
}

async function checkPort(setting: string, host: string, port: number): Promise<void> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen({ host, port }, resolve)
  try {
    await promise
  } catch (error) {
    throw new Error(
      `Expected port ${port} of ${host} to be free. Another volflow may be running; or set ${setting} in volflow.yaml to another port.`,
      { cause: error },
    )
  }
  const closed = Promise.withResolvers<void>()
  server.close(() => closed.resolve())
  await closed.promise
}
