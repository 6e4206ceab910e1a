/**
 * Frees a large buffer now. The garbage collector does not feel the weight of memory outside its heap: with several 4 MiB buffers per
 * chunk it would come hundreds of MiB late. The buffer is empty afterwards.
 */
export function release(buffer: Uint8Array): void {
  const memory = buffer.buffer
  // Small buffers share one allocation.
  if (memory instanceof ArrayBuffer && memory.byteLength > Buffer.poolSize) memory.transfer(0)
}
