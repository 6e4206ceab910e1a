/** Bytes of a volume in this chunk: the last one may be shorter; beyond the end 0. */
export function chunkLength(chunk: number, chunkBytes: number, sizeBytes: number): number {
  return Math.max(0, Math.min(chunkBytes, sizeBytes - chunk * chunkBytes))
}

export function chunkCount(chunkBytes: number, sizeBytes: number): number {
  return Math.ceil(sizeBytes / chunkBytes)
}

export function pageCount(shape: { chunkBytes: number; pageEntries: number }, sizeBytes: number): number {
  return Math.ceil(chunkCount(shape.chunkBytes, sizeBytes) / shape.pageEntries)
}
