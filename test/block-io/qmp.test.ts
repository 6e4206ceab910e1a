import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { QmpClient } from '../../block-io/qmp/client.ts'
import { startProcess } from '../../block-io/process.ts'
import { LIMITS } from '../../domain/limits.ts'
import { tempDir } from '../support/temp-dir.ts'

const GREETING = `{"QMP": {"version": {}, "capabilities": []}}\n`
const READY = `{"return": {}, "id": 1}\n`
const WAIT = { greetingMs: 300, commandMs: 300 }

/** Says each of `lines` when it is spoken to, the first at once. */
async function fakeMonitor(lines: readonly (string | Buffer)[]): Promise<string> {
  const socketPath = join(await tempDir(), 'qmp')
  const server = createServer((socket) => {
    const left = [...lines]
    const say = () => {
      const line = left.shift()
      if (line === '') socket.destroy()
      else if (line !== undefined) socket.write(line)
    }
    say()
    socket.on('data', say).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  onTestFinished(() => void server.close())
  return socketPath
}

async function ask(socketPath: string): Promise<unknown> {
  await using client = await QmpClient.connect({ socketPath, ...WAIT })
  return await client.execute('query-status', {}, z.object({ running: z.boolean() }))
}

test('a correct monitor is understood, and events in between are passed over', async () => {
  const answer = '{"event": "STOP"}\n{"event": "RESUME"}\n{"return": {"running": true}, "id": 2}\n'
  expect(await ask(await fakeMonitor([GREETING, READY, answer]))).toEqual({ running: true })
})

const refusal = (error: object) => `${JSON.stringify({ id: 2, error })}\n`
const UNENDING = Buffer.alloc(LIMITS.qmpLineBytes + 1, 'x')

test.each<[string, (string | Buffer)[], object]>([
  ['says nothing', [], { kind: 'transient', message: /no answer within/ }],
  ['hangs up at once', [''], { kind: 'transient', message: /closed/ }],
  ['speaks another language', ['HTTP/1.1 400 Bad Request\r\n\r\n'], { kind: 'invalid' }],
  ['greets with another object', ['{"hello": 1}\n'], { kind: 'invalid', message: /no greeting/ }],
  ['sends a line without an end', [UNENDING], { kind: 'invalid', message: /more than/ }],
  ['stops answering', [GREETING, READY], { kind: 'transient', message: /no answer within/ }],
  ['dies with a command under way', [GREETING, READY, ''], { kind: 'transient', message: /closed/ }],
  ['answers another question', [GREETING, READY, '{"return": {}, "id": 7}\n'], { kind: 'invalid' }],
  [
    'answers in another form',
    [GREETING, READY, '{"return": {"running": 1}, "id": 2}\n'],
    { kind: 'invalid' },
  ],
  ['answers without an id', [GREETING, READY, '{"return": {}}\n'], { kind: 'invalid' }],
  ['answers with half a line', [GREETING, READY, '{"return": {"run'], { kind: 'transient' }],
  [
    'refuses',
    [GREETING, READY, refusal({ class: 'GenericError', desc: 'no\u001b[31m way' })],
    { kind: 'invalid', message: /refused: no \[31m way$/ },
  ],
  [
    'does not know the command',
    [GREETING, READY, refusal({ class: 'CommandNotFound', desc: 'x' })],
    { kind: 'unsupported' },
  ],
  [
    'has no room',
    [GREETING, READY, refusal({ class: 'GenericError', desc: 'No space left on device' })],
    { kind: 'full' },
  ],
])('a monitor that %s ends in a DriverError', async (_, lines, expected) => {
  const error: unknown = await ask(await fakeMonitor(lines)).catch((reason: unknown) => reason)
  const { message, ...rest } = expected as { message?: RegExp }
  expect(error).toMatchObject({ name: 'DriverError', ...rest })
  if (message !== undefined) expect(String(error)).toMatch(message)
})

test('a real monitor serves one client after another, so whoever is connected is alone', async () => {
  const socketPath = join(await tempDir(), 'qmp')
  const daemon = startProcess('qemu-storage-daemon', [
    ...['--chardev', `socket,id=qmp,path=${socketPath},server=on,wait=off`, '--monitor', 'chardev=qmp'],
  ])
  onTestFinished(() => daemon.stop())
  await expect
    .poll(() => QmpClient.connect({ socketPath }).then((client) => client[Symbol.asyncDispose]()), {
      timeout: 10_000,
    })
    .toBeUndefined()
  const first = await QmpClient.connect({ socketPath })
  await expect(QmpClient.connect({ socketPath, ...WAIT })).rejects.toMatchObject({ kind: 'transient' })
  const waiting = QmpClient.connect({ socketPath })
  await first[Symbol.asyncDispose]()
  await using second = await waiting
  const nodes = await second.execute('query-named-block-nodes', { flat: true }, z.array(z.unknown()))
  expect(nodes).toEqual([])
})
