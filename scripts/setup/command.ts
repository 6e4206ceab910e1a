import { runProcess } from '../../block-io/process.ts'

/** Builds of Go programs and downloads on slow lines. */
const INSTALL_TIMEOUT_MS = 30 * 60_000

/** Runs an installer with the user's own environment; its output is dropped, its last error lines are in the error. */
export async function runInstaller(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await runProcess(command, args, {
    env: { ...userEnvironment(), ...env },
    timeoutMs: INSTALL_TIMEOUT_MS,
    onStdoutLine: () => {},
  })
}

/** With sudo where we are not root already. */
export async function runInstallerAsRoot(command: string, args: readonly string[]): Promise<void> {
  if (process.getuid?.() === 0) await runInstaller(command, args)
  else await runInstaller('sudo', [command, ...args])
}

function userEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return Object.fromEntries(entries)
}
