/**
 * Makes one call of the file driver in this process, and kills the process (-9) right before the call's Nth change to the file
 * system: `node dying-call.ts <directory> <method> <arguments as JSON> <N>`. Exit 0: the call ended before that.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

const [path = '', method = '', args = '', nth = ''] = process.argv.slice(2)
const CHANGES = ['copyFile', 'link', 'mkdir', 'open', 'rename', 'rm', 'truncate'] as const

const { openVolumeDriver } = await import('../../../drivers/volumes/registry.ts')
const driver = await openVolumeDriver({ driver: 'file', path })
let left = Number(nth)

for (const name of CHANGES) dieIn(fs, name)
await using probe = await fs.open('/dev/null')
for (const name of ['sync', 'truncate']) dieIn(Object.getPrototypeOf(probe), name)
syncBuiltinESMExports()
left = Number(nth)

const call: unknown = Reflect.get(driver, method)
if (typeof call !== 'function') throw new Error(`no method ${method}`)
await call({ signal: new AbortController().signal, ...JSON.parse(args) })

function dieIn(target: object, name: string): void {
  const original: unknown = Reflect.get(target, name)
  if (typeof original !== 'function') throw new Error(`no function ${name}`)
  Reflect.set(target, name, function (this: unknown, ...rest: unknown[]): unknown {
    if (--left === 0) process.kill(process.pid, 'SIGKILL')
    return Reflect.apply(original, this, rest)
  })
}
