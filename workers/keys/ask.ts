import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CliError, Concluded, EXIT } from '../../cli/exit-codes.ts'

/** One line from the terminal. Ctrl-C and Ctrl-D end the command. Not a terminal: CliError. */
export async function ask(question: string, { hidden }: { hidden: boolean }): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError(
      EXIT.usage,
      'no-terminal',
      `Expected a terminal to ask for this: ${question.trim()} Give a file instead.`,
    )
  }
  const nothing = new Writable({ write: (_bytes, _encoding, done) => done() })
  if (hidden) process.stderr.write(question)
  const lines = createInterface({
    input: process.stdin,
    output: hidden ? nothing : process.stderr,
    terminal: true,
  })
  const ended = new AbortController()
  lines.on('SIGINT', () => ended.abort())
  lines.on('close', () => ended.abort())
  try {
    return await lines.question(hidden ? '' : question, { signal: ended.signal })
  } catch (error) {
    throw ended.signal.aborted ? new Concluded(EXIT.interrupted) : error
  } finally {
    lines.close()
    if (hidden) process.stderr.write('\n')
  }
}
