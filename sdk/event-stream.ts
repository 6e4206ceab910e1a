import { ApiError, UnreachableError } from './errors.ts'

/** An event tells of one operation or schedule; more than this is not our API. */
const EVENT_LENGTH_MAX = 1024 * 1024

export interface StreamMessage {
  /** Where to go on when the stream breaks after this message. */
  readonly id: string | undefined
  /** Undefined: it tells nothing but its id. */
  readonly data: string | undefined
}

/** The server-sent events of an answer; comments are passed over. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamMessage> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    if (text.length > EVENT_LENGTH_MAX) throw new Error('Expected short events, got an endless one')
    for (const event of events) {
      const lines = event.split('\n')
      yield { id: field(lines, 'id').at(-1), data: field(lines, 'data').join('\n') || undefined }
    }
  }
}

function field(lines: readonly string[], name: string): string[] {
  const start = `${name}: `
  return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length))
}

const RECONNECTS_MAX = 20
const RECONNECT_DELAY_MS = 100
const RECONNECT_DELAY_MAX_MS = 2_000

/**
 * Goes on with a new stream where one breaks, for about half a minute: long enough for a service that is started again. It is opened
 * with the last id that was received. `isLast` says which event ends it all.
 */
export async function* withReconnect<T>(
  open: (lastEventId: string | undefined) => AsyncIterable<StreamMessage>,
  isLast: (event: T) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  let lastEventId: string | undefined
  for (let failures = 0; ;) {
    let reason: unknown = new Error('The stream of events ended early')
    try {
      for await (const { id, data } of open(lastEventId)) {
        failures = 0
        lastEventId = id ?? lastEventId
        if (data === undefined) continue
        const event = JSON.parse(data) as T
        yield event
        if (isLast(event)) return
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof ApiError && error.status < 500) throw error
      reason = error
    }
    failures += 1
    if (failures > RECONNECTS_MAX) throw reason
    await pause(Math.min(RECONNECT_DELAY_MS * 2 ** failures, RECONNECT_DELAY_MAX_MS), signal)
  }
}

/** A stream that breaks after it began fails with the words of the platform; callers know one error for this. */
export async function* asUnreachable<T>(events: AsyncIterable<T>, baseUrl: string): AsyncGenerator<T> {
  try {
    yield* events
  } catch (error) {
    throw new UnreachableError(baseUrl, { cause: error })
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
  signal?.throwIfAborted()
}
