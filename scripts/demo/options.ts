import { parseArgs } from 'node:util'

export interface DemoOptions {
  /** An image of the user's own. */
  readonly image: { readonly path: string; readonly format: 'raw' | 'qcow2' } | undefined
  readonly json: boolean
  readonly keep: boolean
  /** Where volumes are. */
  readonly backend: 'file' | 'rbd'
  /** An installation that runs already, and where this machine has its volumes and images. */
  readonly running: { readonly apiUrl: string; readonly dataFolder: string } | undefined
}

export const USAGE = `Usage: npm run demo -- [--image FILE [--format raw|qcow2]] [--backend file|rbd] [--keep | --api URL --data FOLDER] [--json]

  --image FILE  use this disk image instead of a Debian one; its format follows from its name unless --format says it
  --backend rbd volumes are in a Ceph cluster of the demo's own, instead of in files
  --keep        keep everything running at the end, and print where it is, until Ctrl-C
  --api URL     use the installation that answers there; it is not stopped, and nothing of it is killed
  --data FOLDER where this machine sees that installation's folders volumes/ and images/, to compare their content
  --json        end with one line of JSON; everything else goes to standard error`

/** Throws an Error whose message is for the user; undefined when help was asked for. */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      image: { type: 'string' },
      format: { type: 'string' },
      backend: { type: 'string', default: 'file' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      api: { type: 'string' },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const { image: path, json, keep, backend } = values
  if (path === undefined && values.format !== undefined)
    throw new Error('Expected --format together with --image')
  const format = values.format ?? (path?.endsWith('.qcow2') === true ? 'qcow2' : 'raw')
  if (format !== 'raw' && format !== 'qcow2')
    throw new Error(`Expected --format to be raw or qcow2, got "${format}"`)
  if (backend !== 'file' && backend !== 'rbd')
    throw new Error(`Expected --backend to be file or rbd, got "${backend}"`)
  const running = runningOf(values)
  if (running !== undefined && backend !== 'file')
    throw new Error('Expected --backend without --api: what runs already has its own backends')
  if (running !== undefined && keep) throw new Error('Expected --keep or --api: what runs already is kept')
  return { image: path === undefined ? undefined : { path, format }, json, keep, backend, running }
}

function runningOf({ api, data }: { api?: string; data?: string }): DemoOptions['running'] {
  if (api === undefined && data === undefined) return undefined
  if (api === undefined || data === undefined) throw new Error('Expected --api and --data together')
  if (!/^https?:$/.test(URL.parse(api)?.protocol ?? ''))
    throw new Error(`Expected --api to be an http address, got "${api}"`)
  return { apiUrl: api, dataFolder: data }
}
