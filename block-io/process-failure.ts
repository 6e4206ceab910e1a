import { DriverError, type DriverErrorKind } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

/** Debian's package of each program that we start. */
const PACKAGES: Readonly<Record<string, string>> = {
  'qemu-img': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  'qemu-storage-daemon': 'qemu-utils',
  bwrap: 'bubblewrap',
  setpriv: 'util-linux',
  prlimit: 'util-linux',
  fallocate: 'util-linux',
  cp: 'coreutils',
  rbd: 'ceph-common',
  ceph: 'ceph-common',
  bzip2: 'bzip2',
}

/** What C libraries and tools say, in the order in which it is looked for. Anything else is worth another try. */
const KNOWN_TEXTS: readonly (readonly [RegExp, DriverErrorKind])[] = [
  [/no space left on device|disk quota exceeded|file too large/i, 'full'],
  [/failed to get .*lock|resource busy|device or resource busy|text file busy/i, 'busy'],
  [/no such file or directory/i, 'notFound'],
  [
    /permission denied|operation not permitted|read-only file system|invalid argument|invalid parameter|image is corrupt|could not open|not in .* format|unknown driver|unrecognized option|is a directory/i,
    'invalid',
  ],
]

export interface ProgramEnd {
  /** Of the system call that could not start it. */
  readonly code?: string | undefined
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly originalMessage?: string | undefined
}

/** The cause of the error about a program that ended with a status: for callers that know what its statuses mean. */
export class ProgramFailure extends Error {
  override readonly name = 'ProgramFailure'
  readonly exitCode: number
  /** The end of what it said. */
  readonly stderr: string

  constructor(exitCode: number, stderr: string) {
    super(`exit status ${exitCode}`)
    this.exitCode = exitCode
    this.stderr = stderr
  }
}

/** Turns the end of a program that did not succeed into the error that leaves block-io. */
export function describeFailure(command: string, stderr: string, exit: ProgramEnd): DriverError {
  if (exit.code === 'ENOENT') return missingProgram(process.platform === 'linux' ? 'setpriv' : command)
  // Our wrappers exec the program in the end, and say so when it is not there.
  const missing = /(?:failed to execute|execvp) ([^\s:]+): No such file or directory/.exec(stderr)?.[1]
  if (missing !== undefined) return missingProgram(missing)
  const kind = exit.signal === 'SIGXFSZ' ? 'full' : kindOf(stderr)
  const end =
    exit.signal === undefined ? `exit status ${exit.exitCode ?? exit.code}` : `signal ${exit.signal}`
  const detail = lastLines(stderr) || exit.originalMessage || 'it printed no reason'
  return new DriverError(kind, `Expected ${command} to succeed, got ${end}: ${detail}`, {
    ...(exit.exitCode !== undefined && { cause: new ProgramFailure(exit.exitCode, stderr) }),
  })
}

function missingProgram(program: string): DriverError {
  const hint = PACKAGES[program] === undefined ? '' : ` (Debian package ${PACKAGES[program]})`
  return new DriverError(
    'invalid',
    `Expected the program ${program} to be installed${hint}, it is not in PATH`,
  )
}

function kindOf(stderr: string): DriverErrorKind {
  return KNOWN_TEXTS.find(([text]) => text.test(stderr))?.[1] ?? 'transient'
}

function lastLines(stderr: string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return lines
    .slice(-LIMITS.processErrorLines)
    .join('; ')
    .slice(-LIMITS.processErrorLines * LIMITS.processErrorLineLength)
}
