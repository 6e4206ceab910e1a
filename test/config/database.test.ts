import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../config/load.ts'
import { tempDir } from '../support/temp-dir.ts'

async function load(database: unknown) {
  const folder = await tempDir()
  await writeFile(join(folder, 'volflow.yaml'), JSON.stringify({ database }))
  return { folder, config: loadConfig(folder) }
}

test('a PostgreSQL database has a URL and a file for the password, relative to the data folder', async () => {
  const url = 'postgresql://volflow@db.example:5432/volflow?sslmode=verify-full'
  const { folder, config } = await load({ url, passwordFile: 'keys/database' })
  expect((await config).database).toEqual({ url, passwordFile: join(folder, 'keys/database') })
})

test('a password in the URL, another kind of URL and no URL are refused, without repeating them', async () => {
  for (const url of [
    'postgresql://volflow:hunter2@db.example/volflow',
    'postgresql://db.example/volflow?password=hunter2',
    'mysql://db.example/hunter2',
    'hunter2',
  ]) {
    const message = await (await load({ url })).config.catch(String)
    expect(message).toContain('a URL like postgresql://user@host:5432/name, without a password')
    expect(message).not.toContain('hunter2')
  }
})
