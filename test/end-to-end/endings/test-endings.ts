/** One test per cell of the matrix. All cells of an ending are met in one installation, when the first of them is asked for. */
import { afterAll, describe, expect, test } from 'vitest'
import type { Cell, Ending } from './ending.ts'
import { kindsOf, type Report, runEnding } from './run-ending.ts'

export function testEndings(endings: readonly Ending[], timeoutMs: number): void {
  const reports = new Map<string, Report>()
  for (const ending of endings) {
    describe(`${ending.name}: ${ending.about}`, () => {
      let running: Promise<Report> | undefined
      const report = async () => {
        running ??= runEnding(ending)
        reports.set(ending.name, await running)
        return running
      }
      test.for(kindsOf(ending))('%s', { timeout: timeoutMs }, async (kind) => {
        const { problems } = await report()
        expect(problems.get(kind) ?? [], `${kind} ${describeCell(ending.cell(kind))}`).toEqual([])
      })
      test('nothing is left over', { timeout: timeoutMs }, async () => {
        expect((await report()).violations).toEqual([])
      })
    })
  }
  afterAll(() => console.log(slowest(reports)))
}

function describeCell(cell: Cell): string {
  return 'none' in cell ? cell.none : [cell.ends, cell.code].join(' ')
}

/** How long after everything was back the last operation had ended. */
function slowest(reports: ReadonlyMap<string, Report>): string {
  const lines = [...reports].map(([name, { endedAfterMs }]) => {
    const [kind = 'nothing', ms = 0] = [...endedAfterMs].toSorted(([, a], [, b]) => b - a)[0] ?? []
    return {
      ms,
      line: `${name}: the last was ${kind}, ${(ms / 1000).toFixed(1)} s after everything was back`,
    }
  })
  return lines
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ line }) => line)
    .join('\n')
}
