/** One test per cell of the matrix. All cells of an ending are met in one installation, when the first of them is asked for. */
import { describe, expect, test } from 'vitest'
import type { Cell, Ending } from './ending.ts'
import { REQUESTED_KINDS, type RequestedKind } from './operations.ts'
import { kindsOf, type Report, runEnding } from './run-ending.ts'
import { FILES, type Storage } from './storage.ts'

export interface EndingsOptions {
  readonly timeoutMs: number
  /** Default: all. */
  readonly kinds?: readonly RequestedKind[]
  /** Of each installation. Default: files. */
  readonly newStorage?: () => Promise<Storage>
}

export function testEndings(
  endings: readonly Ending[],
  { timeoutMs, kinds: wanted = REQUESTED_KINDS, newStorage = () => Promise.resolve(FILES) }: EndingsOptions,
): void {
  for (const ending of endings) {
    describe.skipIf(ending.isPossibleHere === false)(`${ending.name}: ${ending.about}`, () => {
      const kinds = kindsOf(ending).filter((kind) => wanted.includes(kind))
      let running: Promise<Report> | undefined
      const run = async () => told(ending, await runEnding(ending, { kinds, storage: await newStorage() }))
      const report = () => (running ??= run())
      test.for(kinds)('%s', { timeout: timeoutMs }, async (kind) => {
        const { problems } = await report()
        expect(problems.get(kind) ?? [], `${kind} ${describeCell(ending.cell(kind))}`).toEqual([])
      })
      test('nothing is left over', { timeout: timeoutMs }, async () => {
        expect((await report()).violations).toEqual([])
      })
    })
  }
}

function describeCell(cell: Cell): string {
  return 'none' in cell ? cell.none : [cell.ends, cell.code].join(' ')
}

/** How long after everything was back the last operation had ended; the long tests are watched while they run. */
function told({ name }: Ending, report: Report): Report {
  const [kind = 'none', ms = 0] = [...report.endedAfterMs].toSorted(([, a], [, b]) => b - a)[0] ?? []
  const wrong = [...report.problems].flatMap(([of, problems]) =>
    problems.map((problem) => `${of}: ${problem}`),
  )
  const last = `the last was ${kind}, ${(ms / 1000).toFixed(1)} s after everything was back`
  console.log([`${name}: ${last}`, ...wrong, ...report.violations].join('\n  '))
  return report
}
