import type { Command } from 'commander'
import { VolflowClient } from '../sdk/client.ts'
import type { RequestOptions } from '../sdk/http.ts'
import { findLogin } from './credentials.ts'

const DEFAULT_URL = 'http://127.0.0.1:8780'

interface GlobalOptions {
  readonly url?: string
  readonly project?: string
  readonly json?: boolean
  readonly wait?: boolean
  readonly idempotencyKey?: string
}

/** What a command works with: the client and how the user wants to be answered. */
export interface Session {
  readonly client: VolflowClient
  readonly json: boolean
  readonly wait: boolean
  /** For the one request of the command that starts something. */
  readonly request: RequestOptions
}

export function addGlobalOptions(program: Command): void {
  program
    .option(
      '--url <url>',
      'where the API is (VOLFLOW_URL); default: beside the Keystone of your credentials',
      process.env.VOLFLOW_URL === '' ? undefined : process.env.VOLFLOW_URL,
    )
    .option('--project <id>', 'whose resources (VOLFLOW_PROJECT)', process.env.VOLFLOW_PROJECT)
    .option('--json', 'print one JSON document')
    .option('--wait', 'wait until the operation has ended (default on a terminal)')
    .option('--no-wait', 'return as soon as the operation is accepted (default when piped)')
    .option('--idempotency-key <key>', 'a repeated command with the same key starts nothing new')
}

export function sessionOf(command: Command): Session {
  const options: GlobalOptions = command.optsWithGlobals()
  const { url, project, json = false, wait = process.stdout.isTTY, idempotencyKey } = options
  const login = findLogin(url, process.env)
  const beside = login === undefined ? undefined : URL.parse(login.authUrl)?.origin
  return {
    client: new VolflowClient({
      baseUrl: checkedUrl(command, url ?? beside ?? DEFAULT_URL),
      ...(login === undefined ? {} : { tokens: login.tokens }),
      ...(project === undefined ? {} : { projectId: project }),
    }),
    json,
    wait,
    request: idempotencyKey === undefined ? {} : { idempotencyKey },
  }
}

function checkedUrl(command: Command, url: string): string {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? '')) return url
  return command.error(`error: expected --url to be an http address such as ${DEFAULT_URL}, got "${url}"`)
}
