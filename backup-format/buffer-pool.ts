/** Buffers that are used again and again: allocating 4 MiB costs as much as reading them. */
export function createPool(bytes: number) {
  const idle: Buffer[] = []
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
