import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { generateSdk } from '../../scripts/generate-sdk.ts'

test('The checked-in description and types are those of the API: else run `node scripts/generate-sdk.ts`', async () => {
  for (const { path, text } of await generateSdk()) {
    expect(await readFile(path, 'utf8'), basename(path)).toBe(text)
  }
})
