/**
 * For the large buffers of unpacked chunks, which zlib makes anew each time. One that is done with is freed when the next one has been made,
 * so that their number stays the same: V8 marks its whole heap whenever the memory outside of it has grown by a few MiB since the last
 * time, even if as much was freed just before. Ten times a second that was a fifth of a restore.
 */
import { release } from './release.ts'

/** Of this thread, whatever operation had them. */
const idle: Uint8Array[] = []

/** Once for each buffer, when it is there. */
export function takeIdleAway(): void {
  const old = idle.pop()
  if (old !== undefined) release(old)
}

export function becomesIdle(buffer: Uint8Array): void {
  idle.push(buffer)
}
