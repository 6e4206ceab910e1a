import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const words = z.array(z.string())
const seconds = z
  .string()
  .regex(/^\d+s$/)
  .transform((text) => Number.parseInt(text, 10))
const mount = z.strictObject({ source: z.string(), target: z.string().startsWith('/') })

/** Of what Compose knows, the part that we use; a key that is not here is a mistake, or belongs here. */
const service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  user: z.string().optional(),
  entrypoint: words.default([]),
  command: words.default([]),
  environment: z.record(z.string(), z.string()).default({}),
  configs: z.array(mount).default([]),
  secrets: words.default([]),
  volumes: words.default([]),
  tmpfs: words.default([]),
  shm_size: z.string().optional(),
  ports: words.default([]),
  networks: words.optional(),
  network_mode: z.literal('none').optional(),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({ condition: z.enum(['service_healthy', 'service_completed_successfully']) }),
    )
    .default({}),
  healthcheck: z
    .strictObject({
      test: z.tuple([z.literal('CMD')], z.string()),
      interval: seconds,
      timeout: seconds,
      retries: z.int(),
      start_period: seconds,
      start_interval: seconds,
    })
    .optional(),
  restart: z
    .string()
    .regex(/^(unless-stopped|on-failure:\d+)$/)
    .optional(),
  stop_signal: z.enum(['SIGTERM', 'SIGINT']).default('SIGTERM'),
  stop_grace_period: seconds.optional(),
  read_only: z.boolean(),
  cap_drop: words,
  cap_add: words.default([]),
  security_opt: words,
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()) }).optional(),
  deploy: z.strictObject({
    resources: z.strictObject({
      limits: z.strictObject({ cpus: z.string(), memory: z.string(), pids: z.int() }),
    }),
  }),
})

const file = z.strictObject({ file: z.string() })

const composeFile = z
  .object({
    name: z.string(),
    services: z.record(z.string(), service),
    networks: z.record(z.string(), z.strictObject({ internal: z.boolean().optional() })),
    volumes: z.record(z.string(), z.strictObject({})),
    configs: z.record(z.string(), file),
    secrets: z.record(z.string(), file),
  })
  .catchall(z.unknown())

export type ComposeFile = z.infer<typeof composeFile>
export type Service = z.infer<typeof service>

export async function readComposeFile(): Promise<ComposeFile> {
  const text = await readFile(`${ROOT}docker-compose.yml`, 'utf8')
  return composeFile.parse(parse(text, { merge: true }))
}

/** In an order in which each comes after those that it depends on. Throws where there is none. */
export function startOrder(services: ComposeFile['services']): string[] {
  const order: string[] = []
  while (order.length < Object.keys(services).length) {
    const next = Object.entries(services).find(
      ([name, { depends_on: needs }]) =>
        !order.includes(name) && Object.keys(needs).every((need) => order.includes(need)),
    )
    if (next === undefined)
      throw new Error(`Expected no circle and no unknown service beyond ${order.join(', ')}`)
    order.push(next[0])
  }
  return order
}
