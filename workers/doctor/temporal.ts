import type { Client } from '@temporalio/client'
import type { Config } from '../../config/config.ts'
import { LIMITS } from '../../domain/limits.ts'
import { CONTROL_QUEUE, dataQueue, placeQueue, storeDataQueue } from '../../domain/queues.ts'
import { SEARCH_ATTRIBUTES } from '../../domain/search-attributes.ts'
import { queueChecks } from '../queue-checks.ts'
import { createTemporalClient, temporalAddress } from '../temporal-connection.ts'
import { type Answer, type CheckResult, probe, warn } from './check.ts'

export async function* temporalChecks(config: Config): AsyncGenerator<CheckResult> {
  const where = 'temporal'
  const { namespace } = config.temporal
  const client = await createTemporalClient(config)
  const timed = <T>(call: () => Promise<T>) =>
    client.connection.withDeadline(Date.now() + LIMITS.inspectionCallMs, call)
  try {
    const next = `Start the Temporal server (volflow up), or correct its address ${temporalAddress(config)}.`
    const reached = await probe({ where, check: 'reachable', next }, () =>
      timed(() => serverOf(client)).catch((cause: unknown) => {
        const seconds = LIMITS.inspectionCallMs / 1000
        throw new Error(`Expected an answer within ${seconds} s, got none`, { cause })
      }),
    )
    yield reached
    if (reached.state !== 'ok') return
    yield await probe(
      { where, check: 'namespace', next: `temporal operator namespace create ${namespace}` },
      () => timed(() => retention(client, namespace)),
    )
    yield await probe({ where, check: 'search attributes', next: registration(namespace) }, () =>
      timed(() => searchAttributes(client, namespace)),
    )
    yield* queues(client, config)
  } finally {
    await client.connection.close()
  }
}

async function serverOf(client: Client): Promise<string> {
  const startedMs = performance.now()
  const { serverVersion } = await client.workflowService.getSystemInfo({})
  return `server ${serverVersion}, ${(performance.now() - startedMs).toFixed(0)} ms`
}

async function retention(client: Client, namespace: string): Promise<Answer> {
  const { config } = await client.workflowService.describeNamespace({ namespace })
  const days = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400
  const value = `${namespace}, keeps histories for ${days} days`
  return days * 86_400_000 < LIMITS.historyRetentionMs ? warn(value) : value
}

async function searchAttributes(client: Client, namespace: string): Promise<string> {
  const { customAttributes } = await client.connection.operatorService.listSearchAttributes({ namespace })
  const missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes[name] === undefined)
  if (missing.length === 0) return SEARCH_ATTRIBUTES.join(', ')
  throw new Error(`Expected all of them to be registered, missing: ${missing.join(', ')}`)
}

function registration(namespace: string): string {
  const names = SEARCH_ATTRIBUTES.map((name) => `--name ${name} --type Keyword`).join(' ')
  return `temporal operator search-attribute create --namespace ${namespace} ${names}`
}

async function* queues(client: Client, config: Config): AsyncGenerator<CheckResult> {
  const names = [
    CONTROL_QUEUE,
    ...Object.keys(config.backends).flatMap((name) => [dataQueue(name), placeQueue('backend', name)]),
    ...Object.keys(config.stores).flatMap((name) => [storeDataQueue(name), placeQueue('store', name)]),
    ...Object.keys({ ...config.targets, ...config.cinderTargets, ...config.rbdTargets }).map((name) =>
      placeQueue('target', name),
    ),
  ]
  const { checks } = await queueChecks(client, names)
  for (const [queue, state] of Object.entries(checks)) {
    const next = `Start a worker: volflow ${queue === CONTROL_QUEUE ? 'control-worker' : 'data-worker'}`
    yield await probe({ where: 'temporal', check: `queue ${queue}`, next }, () => {
      if (state === 'ok') return 'served'
      throw new Error(state)
    })
  }
}
