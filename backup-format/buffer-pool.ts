/** The idle buffers of this thread by their size: what one operation has put back, the next one uses. */
const pools = new Map<number, Buffer[]>()

/** Buffers that are used again and again: allocating 4 MiB costs as much as reading them. */
export function bufferPool(bytes: number) {
  const idle = pools.get(bytes) ?? []
  pools.set(bytes, idle)
  return {
    lend: async <T>(use: (buffer: Buffer) => Promise<T>): Promise<T> => {
      const buffer = idle.pop() ?? Buffer.allocUnsafeSlow(bytes)
      try {
        return await use(buffer)
      } finally {
        idle.push(buffer)
      }
    },
  }
}
