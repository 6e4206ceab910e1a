/** Lets at most `max` pass at a time. */
export function createLine(max: number) {
  const waiting: (() => void)[] = []
  const inside = new Set<Promise<unknown>>()
  let passing = 0
  const leave = () => {
    const next = waiting.shift()
    if (next === undefined) passing -= 1
    else next()
  }
  return {
    pass: async <T>(work: () => Promise<T>): Promise<T> => {
      if (passing >= max) await new Promise<void>((resolve) => waiting.push(resolve))
      else passing += 1
      const running = work()
      inside.add(running)
      try {
        return await running
      } finally {
        inside.delete(running)
        leave()
      }
    },
    empty: async () => {
      while (inside.size > 0) await Promise.allSettled(inside)
    },
  }
}
