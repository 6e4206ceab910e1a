import type { IncomingMessage, ServerResponse } from 'node:http'
import { LIMITS } from '../../domain/limits.ts'

/**
 * A refused client may still be sending. What comes is thrown away for a moment, so that it gets to read the answer, and then the
 * connection goes.
 */
export function endUnread(message: IncomingMessage, response: ServerResponse, closing: AbortSignal): void {
  if (message.complete || message.destroyed) return
  message.resume()
  response.once('finish', () => {
    const patience = AbortSignal.any([closing, AbortSignal.timeout(LIMITS.refusedBodyDrainMs)])
    const cutOff = () => {
      if (!message.complete) message.destroy()
    }
    if (patience.aborted) cutOff()
    else patience.addEventListener('abort', cutOff, { once: true })
  })
}
