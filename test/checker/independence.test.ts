import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const FOLDER = import.meta.dirname

test('the checker shares no code with what it checks', async () => {
  const files = (await readdir(FOLDER, { recursive: true })).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  )
  expect(files.length).toBeGreaterThan(10)
  for (const name of files) {
    const path = join(FOLDER, name)
    const text = await readFile(path, 'utf8')
    for (const [, from = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      if (!from.startsWith('.')) {
        const isBuiltIn = from.startsWith('node:')
        expect(isBuiltIn || /^(@aws-sdk|@temporalio)\//.test(from), `${name} imports ${from}`).toBe(true)
        continue
      }
      const target = relative(FOLDER, resolve(dirname(path), from))
      expect(target.startsWith('..'), `${name} imports ${from}`).toBe(false)
    }
  }
})
