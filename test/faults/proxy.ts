import { connect, createServer, type Socket } from 'node:net'
import { listen } from '../../scripts/ports.ts'

export interface CountingProxy {
  readonly port: number
  /** From client to server, headers included, since the start. */
  readonly upBytes: number
  /** From server to client. */
  readonly downBytes: number
  /** From now on, or no longer, as if nothing listened behind it. */
  refuse(isRefusing: boolean): void
  stop(): void
}

/** Passes TCP connections on to a port of 127.0.0.1 and counts the bytes. Signatures stay valid: nothing is changed. */
export async function startCountingProxy(upstreamPort: number): Promise<CountingProxy> {
  let upBytes = 0
  let downBytes = 0
  let refusing = false
  const sockets = new Set<Socket>()
  const closeAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    if (refusing) {
      client.destroy()
      return
    }
    const upstream = connect({ port: upstreamPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (bytes) => (upBytes += bytes.length))
    upstream.on('data', (bytes) => (downBytes += bytes.length))
    client.pipe(upstream)
    upstream.pipe(client)
    client.on('error', () => upstream.destroy())
    // A server that answers early and closes: its answer still has to arrive, and what the client goes on sending goes nowhere.
    upstream.on('error', () => client.end())
    upstream.on('close', () => {
      client.end()
      client.resume()
    })
    client.on('close', () => upstream.end())
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
    refuse: (isRefusing) => {
      refusing = isRefusing
      if (refusing) closeAll()
    },
    stop: () => {
      server.close()
      closeAll()
    },
  }
}
