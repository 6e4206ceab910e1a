import type { FastifyInstance } from 'fastify'
import type { Socket } from 'node:net'

/** Node waits for the first request of a connection, for a minute, also when it stops; clients open some to have them at hand. */
export function endSilentConnections(
  { server }: Pick<FastifyInstance, 'server'>,
  closing: AbortSignal,
): void {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (closing.aborted) socket.destroy()
  })
  closing.addEventListener('abort', () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  })
}
