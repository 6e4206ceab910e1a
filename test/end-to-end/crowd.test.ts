import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { Installation } from './installation.ts'
import { until } from './steps.ts'

const QUOTA = 200
const TOO_MANY = 40
const TIMEOUT_MS = 240_000
const POLL_MS = 300

test(
  `of ${QUOTA + TOO_MANY} volumes created at once through the block storage API, as many as the quota allows become available, each once`,
  async () => {
    await using installation = await Installation.start({ config: { quotas: { volumes: QUOTA } } })
    const url = `${installation.baseUrl}/volume/v3/crowd/volumes`
    const create = async (number: number) => {
      const body = JSON.stringify({ volume: { size: 1, name: `volume-${number}` } })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(url, { method: 'POST', headers, body })
      return { status: answer.status, body: (await answer.json()) as Created }
    }
    const answers = await Promise.all(Array.from({ length: QUOTA + TOO_MANY }, (_, number) => create(number)))
    const made = answers.flatMap(({ status, body }) => (status === 202 ? [body.volume] : []))
    const refused = answers.filter(({ status }) => status !== 202)
    expect(refused).toHaveLength(TOO_MANY)
    for (const refusal of refused)
      expect(refusal).toMatchObject({ status: 413, body: { overLimit: { code: 413 } } })

    const listed = async () => {
      const answer = await fetch(`${url}/detail`)
      return ((await answer.json()) as { volumes: Volume[] }).volumes
    }
    const isOver = async () => (await listed()).every(({ status }) => status !== 'creating')
    await until('no volume is being created', isOver, TIMEOUT_MS, POLL_MS)
    const volumes = await listed()
    expect(volumes.filter(({ status }) => status !== 'available')).toEqual([])
    const names = (all: readonly Volume[]) => all.map(({ id, name }) => `${id} ${name}`).toSorted()
    expect(names(volumes)).toEqual(names(made))
    expect(new Set(volumes.map(({ name }) => name)).size).toBe(QUOTA)
    await expectClean(installation.checked())
  },
  TIMEOUT_MS,
)

interface Volume {
  readonly id: string
  readonly name: string
  readonly status: string
}

interface Created {
  readonly volume: Volume
}
