/** The volumes in golden-v1.json: noise, text and zeroes, and a last chunk that is short. */
export function goldenVolume(backupId: 'full' | 'incremental'): Buffer {
  const noise = Buffer.from(Array.from({ length: 512 }, (_, index) => (index * index * 31 + index * 7) >> 3))
  const parts = [
    noise,
    Buffer.alloc(1024),
    Buffer.alloc(512, 'text '),
    Buffer.alloc(1024),
    noise,
    Buffer.alloc(100, 'end'),
  ]
  const volume = Buffer.concat(parts)
  if (backupId === 'incremental') volume.write('changed', 1600)
  return volume
}
