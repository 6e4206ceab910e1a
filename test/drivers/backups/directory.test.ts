import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openTarget } from '../../../drivers/backups/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { describeBackupTarget } from './contract.ts'

describeBackupTarget('directory', async () => ({ driver: 'directory', path: await tempDir() }))

it('does not take a folder that is missing, such as a share that is not mounted, for an empty target', async () => {
  const target = openTarget({ driver: 'directory', path: join(await tempDir(), 'unmounted') })
  await expect(target.putIfAbsent('a', Buffer.from('x'))).rejects.toMatchObject({ kind: 'transient' })
})

it('says nothing about what is in a folder that is away, and makes none in its place', async () => {
  const path = await tempDir()
  const target = openTarget({ driver: 'directory', path })
  await target.putIfAbsent('a', Buffer.from('x'))
  const { version = '' } = (await target.get('a')) ?? {}
  await rename(path, `${path}.away`)
  const calls = [
    () => target.get('a'),
    () => target.putIfAbsent('b/c', Buffer.from('x')),
    () => target.replace('a', Buffer.from('y'), version),
    () => target.delete('a'),
    () => Array.fromAsync(target.list('')),
    () => Array.fromAsync(target.list('b/')),
  ]
  for (const call of calls) await expect(call()).rejects.toMatchObject({ kind: 'transient' })
  await rename(`${path}.away`, path)
  expect((await target.get('a'))?.version).toBe(version)
})

it('is not locked by a process that was killed while replacing, and removes the temporary files it left', async () => {
  const path = await tempDir()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'replace-forever.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  for (let put = 0; put < 20 && !(await readdir(join(path, '.tmp'))).length; put += 1) await sleepBriefly()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const target = openTarget({ driver: 'directory', path })
  const stored = await target.get('state')
  expect(await target.replace('state', Buffer.from('mine'), stored?.version ?? '')).toHaveProperty('version')
  expect(await readdir(join(path, '.tmp'))).toEqual([])
})

async function sleepBriefly(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5))
}
