import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { tempDir } from '../../support/temp-dir.ts'

/** What the server says, in order; each entry is sent once the client has sent `after` more bytes. */
export type Script = readonly { readonly after: number; readonly say: Uint8Array }[]

/** Says what the script says, then is silent, or ends the connection. */
export async function fakeServer(
  script: Script,
  options: { thenClose: boolean },
): Promise<{ socketPath: string }> {
  const socketPath = join(await tempDir(), 's')
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let heard = 0
    let step = 0
    const speak = () => {
      for (let next = script[step]; next !== undefined && heard >= next.after; next = script[step]) {
        heard -= next.after
        step += 1
        socket.write(next.say)
      }
      if (step === script.length && options.thenClose) socket.end()
    }
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      heard += bytes.length
      speak()
    })
    speak()
  })
  server.listen(socketPath)
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return { socketPath }
}

export function bytes(
  ...parts: readonly (readonly [bits: 16 | 32 | 64, value: number | bigint] | Uint8Array)[]
): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (part instanceof Uint8Array) return part
      const [bits, value] = part
      return Buffer.from(
        BigInt(value)
          .toString(16)
          .padStart(bits / 4, '0'),
        'hex',
      )
    }),
  )
}

const OPTION_REPLY = [64, 0x0003e889045565a9n] as const
export const GREETING = bytes([64, 0x4e42444d41474943n], [64, 0x49484156454f5054n], [16, 3])

export function optionReply(option: number, type: number, data: Uint8Array = new Uint8Array()): Buffer {
  return bytes(OPTION_REPLY, [32, option], [32, type], [32, data.length], data)
}

export const EXPORT_SIZE = 1 << 20
const EXPORT_NAME_BYTES = 1
/** A handshake as it should be, for an export named with one letter. */
export const GOOD_HANDSHAKE: Script = [
  { after: 0, say: GREETING },
  { after: 4 + 16, say: optionReply(8, 1) },
  {
    after: 16 + 4 + EXPORT_NAME_BYTES + 4 + 4 + 'base:allocation'.length,
    say: Buffer.concat([
      optionReply(10, 4, bytes([32, 1], Buffer.from('base:allocation'))),
      optionReply(10, 1),
    ]),
  },
  {
    after: 16 + 4 + EXPORT_NAME_BYTES + 2,
    say: Buffer.concat([
      optionReply(7, 3, bytes([16, 0], [64, EXPORT_SIZE], [16, 0b1000101])),
      optionReply(7, 1),
    ]),
  },
]
/** The first request's cookie is 1. */
export function chunk(
  flags: number,
  type: number,
  payload: Uint8Array,
  length = payload.length,
  cookie = 1,
): Buffer {
  return bytes([32, 0x668e33ef], [16, flags], [16, type], [64, cookie], [32, length], payload)
}

export const REQUEST_BYTES = 28
