const ENTRY = /\s*u?(?:'([^']*)'|"([^"]*)")\s*:\s*u?(?:'([^']*)'|"([^"]*)")\s*(,|$)/y

/** A dictionary of strings as Python or JSON write it: `{'key': 'value'}`. Undefined: it is none. */
export function parseDictionary(text: string): [string, string][] | undefined {
  const [, inside] = /^\s*\{(.*)\}\s*$/s.exec(text) ?? []
  if (inside === undefined) return undefined
  const entries: [string, string][] = []
  ENTRY.lastIndex = 0
  while (ENTRY.lastIndex < inside.length) {
    const match = ENTRY.exec(inside)
    if (match === null) return inside.trim() === '' ? entries : undefined
    entries.push([match[1] ?? match[2] ?? '', match[3] ?? match[4] ?? ''])
  }
  return entries
}
