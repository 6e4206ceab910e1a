import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runProcess } from '../../block-io/process.ts'
import { downloadArchive } from '../../scripts/setup/download.ts'
import { tempDir } from '../support/temp-dir.ts'
import { listen } from '../../scripts/ports.ts'

let server: Server
let url: string

beforeAll(async () => {
  const folder = await tempDir()
  await writeFile(join(folder, 'tool'), 'a program')
  await runProcess('tar', ['-czf', join(folder, 'archive'), '-C', folder, 'tool'])
  const archive = await readFile(join(folder, 'archive'))
  server = createServer((request, response) => {
    if (request.url === '/archive') response.end(archive)
    else response.writeHead(404).end()
  })
  url = `http://127.0.0.1:${await listen(server)}`
})

afterAll(() => void server.close())

test('an archive is fetched and unpacked, and nothing else stays', async () => {
  const folder = await tempDir()
  await downloadArchive(`${url}/archive`, folder)
  expect(await readFile(join(folder, 'tool'), 'utf8')).toBe('a program')
  expect(await readdir(folder)).toEqual(['tool'])
})

test('an archive that is not there is an error that says so', async () => {
  await expect(downloadArchive(`${url}/gone`, await tempDir())).rejects.toThrow('to be there, got 404')
})
