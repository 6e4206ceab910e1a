import { parseArgs } from 'node:util'

export interface DemoOptions {
  /** An image of the user's own. */
  readonly image: { readonly path: string; readonly format: 'raw' | 'qcow2' } | undefined
  readonly json: boolean
  readonly keep: boolean
}

export const USAGE = `Usage: npm run demo -- [--image FILE [--format raw|qcow2]] [--keep] [--json]

  --image FILE  use this disk image instead of a Debian one; its format follows from its name unless --format says it
  --keep        keep everything running at the end, and print where it is, until Ctrl-C
  --json        end with one line of JSON; everything else goes to standard error`

/** Throws an Error whose message is for the user; undefined when help was asked for. */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      image: { type: 'string' },
      format: { type: 'string' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const { image: path, json, keep } = values
  if (path === undefined && values.format !== undefined)
    throw new Error('Expected --format together with --image')
  const format = values.format ?? (path?.endsWith('.qcow2') === true ? 'qcow2' : 'raw')
  if (format !== 'raw' && format !== 'qcow2')
    throw new Error(`Expected --format to be raw or qcow2, got "${format}"`)
  return { image: path === undefined ? undefined : { path, format }, json, keep }
}
