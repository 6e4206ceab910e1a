import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { parse } from 'yaml'
import { locate } from '../../../scripts/setup/locate.ts'
import { Installation, type InstallationOptions } from '../installation.ts'
import { runSql, type Value } from '../run-sql.ts'
import { until } from '../steps.ts'

/** All three are there: they are installed together. */
export const HAS_CLIENTS = locate('openstack') !== undefined

const SHELL = '/bin/sh'
const COMMAND_TIMEOUT_MS = 300_000
const WAIT_TIMEOUT_MS = 300_000
const POLL_INTERVAL_MS = 100
/** Later ones refuse the `force` that this `openstack` sends with each snapshot. */
const VOLUME_API_VERSION = '3.65'

export interface Login {
  readonly name: string
  readonly password: string
  readonly project: string
}

// oxlint-disable-next-line typescript/no-explicit-any -- answers of clients that are tested by what is in them
export type Json = any

type Table = 'volumes' | 'snapshots' | 'backups' | 'images'

/** A `volflow up` with its own Keystone, and the unmodified clients of Debian that speak to it, each command a process of its own. */
export class Cloud implements AsyncDisposable {
  readonly installation: Installation
  readonly #admin: Login
  /** Commands of clients so far, the refused ones as well. */
  commandCount = 0

  private constructor(installation: Installation, admin: Login) {
    this.installation = installation
    this.#admin = admin
  }

  static async start({ config, ...options }: InstallationOptions = {}): Promise<Cloud> {
    const own = { identity: { authType: 'own' }, ...config }
    const installation = await Installation.start({ ...options, config: own })
    const { clouds } = parse(await readFile(join(installation.dataFolder, 'clouds.yaml'), 'utf8')) as Json
    const { username: name, password, project_name: project } = clouds.volflow.auth
    // The clients keep their caches there.
    await mkdir(join(installation.folder, 'home'))
    return new Cloud(installation, { name, password, project })
  }

  /** Runs the command and answers what it prints. A value in it is one word, or a part of one, whatever it holds. */
  run = async (command: TemplateStringsArray, ...values: Value[]): Promise<string> =>
    (await this.#execute(wordsOf(command, values), this.#admin)).stdout

  /** The same, of `openstack`, as JSON. */
  json = async (command: TemplateStringsArray, ...values: Value[]): Promise<Json> => {
    const { stdout } = await this.#execute([...wordsOf(command, values), '-f', 'json'], this.#admin)
    return JSON.parse(stdout) as unknown
  }

  /** The same, of `cinder` and `glance`, which print tables alone: a row for each line. */
  rows = async (command: TemplateStringsArray, ...values: Value[]): Promise<Record<string, string>[]> =>
    rowsOf((await this.#execute(wordsOf(command, values), this.#admin)).stdout)

  /** The same, of one thing: what stands beside each property. */
  properties = async (
    command: TemplateStringsArray,
    ...values: Value[]
  ): Promise<Record<string, string | undefined>> => {
    const rows = await this.rows(command, ...values)
    return Object.fromEntries(rows.map((row) => Object.values(row) as [string, string]))
  }

  /** Runs a command that is to fail. Answers what it says about it. */
  refused = async (command: TemplateStringsArray, ...values: Value[]): Promise<string> => {
    const { failed, stdout, stderr } = await this.#execute(wordsOf(command, values), this.#admin, false)
    if (!failed) throw new Error(`Expected the command to be refused, got: ${stdout}`)
    return stderr
  }

  /** As another user. */
  as =
    (user: Login) =>
    async (command: TemplateStringsArray, ...values: Value[]): Promise<string> =>
      (await this.#execute(wordsOf(command, values), user)).stdout

  /** One column of one row, straight from the database. Undefined: there is no such row. */
  column(table: Table, column: string, idOrName: string): Value | undefined {
    const rows = runSql(
      this.installation,
      `select ${column} as value from ${table} where id = ? or name = ?`,
      [idOrName, idOrName],
    )
    return rows[0]?.value
  }

  /** Waits until the row has the status, or is gone; one that has failed is not waited for. */
  async reaches(table: Table, idOrName: string, status: string | undefined): Promise<void> {
    const isThere = () => {
      const now = this.column(table, 'status', idOrName)
      if (now !== status && String(now).startsWith('error'))
        throw new Error(`Expected ${idOrName} to be ${String(status)}, it is ${String(now)}`)
      return now === status
    }
    await until(`${idOrName} is ${status ?? 'gone'}`, isThere, WAIT_TIMEOUT_MS, POLL_INTERVAL_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.installation[Symbol.asyncDispose]()
  }

  async #execute(words: string[], user: Login, reject = true) {
    this.commandCount++
    // Without a standard input, as under cron: what `glance` finds there it would upload.
    return execa(SHELL, ['-c', 'exec "$@" <&-', 'sh', ...words], {
      extendEnv: false,
      timeout: COMMAND_TIMEOUT_MS,
      reject,
      env: {
        PATH: process.env.PATH,
        HOME: join(this.installation.folder, 'home'),
        // Else they fold long lines of tables.
        COLUMNS: '10000',
        OS_AUTH_URL: `${this.installation.baseUrl}/identity/v3`,
        OS_IDENTITY_API_VERSION: '3',
        OS_VOLUME_API_VERSION: VOLUME_API_VERSION,
        OS_USERNAME: user.name,
        OS_PASSWORD: user.password,
        OS_PROJECT_NAME: user.project,
        OS_USER_DOMAIN_NAME: 'Default',
        OS_PROJECT_DOMAIN_NAME: 'Default',
      },
    })
  }
}

const HOLE = '\0'

function wordsOf(command: TemplateStringsArray, values: Value[]): string[] {
  const rest = values.values()
  const words = command.join(HOLE).trim().split(/\s+/)
  return words.map((word) => word.replaceAll(HOLE, () => String(rest.next().value)))
}

/** Of a table in `|` and `+`. */
function rowsOf(text: string): Record<string, string>[] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  const [header = [], ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
  return rows.map((cells) => Object.fromEntries(header.map((name, at) => [name, cells[at] ?? ''])))
}
