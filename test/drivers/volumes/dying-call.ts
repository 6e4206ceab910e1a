/**
 * Makes one call of the file driver in this process, and kills the process (-9) right before the call's Nth change to the file
 * system, or Nth command to a guest: `node dying-call.ts <configuration as JSON> <method> <arguments as JSON> <N> [<pid>]`. Exit 0: the
 * call ended before that. With a pid that process is killed instead, and the call goes on; exit 3: it failed, which is said on stdout.
 */
import fs from 'node:fs/promises'
import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { syncBuiltinESMExports } from 'node:module'

const [config = '', method = '', args = '', nth = '', victim = ''] = process.argv.slice(2)
const CHANGES = ['copyFile', 'link', 'mkdir', 'open', 'rename', 'rm', 'truncate', 'unlink'] as const

const { openVolumeDriver } = await import('../../../drivers/volumes/registry.ts')
const driver = await openVolumeDriver(JSON.parse(config))
let left = Number(nth)

for (const name of CHANGES) dieIn(fs, name)
await using probe = await fs.open('/dev/null')
for (const name of ['sync', 'truncate']) dieIn(Object.getPrototypeOf(probe), name)
dieIn(Socket.prototype, 'write')
syncBuiltinESMExports()
left = Number(nth)

const call: unknown = Reflect.get(driver, method)
if (typeof call !== 'function') throw new Error(`no method ${method}`)
try {
  await call({ signal: new AbortController().signal, ...JSON.parse(args) })
} catch (error) {
  if (victim === '') throw error
  writeSync(1, String(Reflect.get(Object(error), 'kind')))
  process.exit(3)
}

function dieIn(target: object, name: string): void {
  const original: unknown = Reflect.get(target, name)
  if (typeof original !== 'function') throw new Error(`no function ${name}`)
  Reflect.set(target, name, function (this: unknown, ...rest: unknown[]): unknown {
    if (--left === 0) process.kill(victim === '' ? process.pid : Number(victim), 'SIGKILL')
    return Reflect.apply(original, this, rest)
  })
}
