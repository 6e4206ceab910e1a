import { connect, createServer, type Socket } from 'node:net'
import { listen } from '../support/free-port.ts'

export interface CountingProxy {
  readonly port: number
  /** From client to server, headers included, since the start. */
  readonly upBytes: number
  /** From server to client. */
  readonly downBytes: number
  stop(): void
}

/** Passes TCP connections on to a port of 127.0.0.1 and counts the bytes. Signatures stay valid: nothing is changed. */
export async function startCountingProxy(upstreamPort: number): Promise<CountingProxy> {
  let upBytes = 0
  let downBytes = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, '127.0.0.1')
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', (broken) => {
        sockets.delete(socket)
        // An end that breaks takes the other with it, as a cut cable would; one that is done lets the last bytes through.
        if (broken) other.destroy()
        else other.end()
      })
    }
    client.on('data', (bytes) => (upBytes += bytes.length))
    upstream.on('data', (bytes) => (downBytes += bytes.length))
    client.pipe(upstream)
    upstream.pipe(client)
  })
  const port = await listen(server)
  return {
    port,
    get upBytes() {
      return upBytes
    },
    get downBytes() {
      return downBytes
    },
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
