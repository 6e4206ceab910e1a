import { join } from 'node:path'
import { type RunningProcess, startProcess } from '../../block-io/process.ts'
import { tempestPython } from '../setup/tempest.ts'

export interface TestResult {
  readonly name: string
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** Of a failure the traceback, of a skipped test why. */
  readonly reason: string
}

const RUNNER = join(import.meta.dirname, 'run.py')
/** They mostly wait for a second between two looks at what they have made. */
const PROCESSES = 3

/** Runs the tests whose names contain one of the words, or all; says how it goes. */
export async function runTests(
  tempestFolder: string,
  words: readonly string[],
  signal: AbortSignal,
): Promise<TestResult[]> {
  const results: TestResult[] = []
  const onStdoutLine = (line: string) => {
    const result = JSON.parse(line) as TestResult
    results.push(result)
    console.error(`${result.outcome.padEnd(7)}  ${result.name}`)
  }
  const env = { ...tempestPython.env, TEMPEST_CONFIG_DIR: tempestFolder, TEMPEST_CONFIG: 'tempest.conf' }
  const children = Array.from({ length: PROCESSES }, (_, part) =>
    startProcess(tempestPython.command, [RUNNER, String(part), String(PROCESSES), ...words], {
      env,
      onStdoutLine,
    }),
  )
  await untilEnded(children, signal)
  return results.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function untilEnded(children: readonly RunningProcess[], signal: AbortSignal): Promise<void> {
  const stop = () => children.forEach((child) => child.kill('SIGKILL'))
  signal.addEventListener('abort', stop, { once: true })
  const exits = await Promise.all(children.map(({ exited }) => exited))
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  for (const { failure } of exits) if (failure !== undefined) throw failure
}
