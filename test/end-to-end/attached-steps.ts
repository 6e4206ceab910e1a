import { expect } from 'vitest'
import { ApiError } from '../../sdk/errors.ts'
import type { Installation } from './installation.ts'

/** Whatever a guest could not go on with is refused at once, and says what to do. */
export async function expectVolumeInUse(
  { client }: Installation,
  volumeId: string,
  { imageId, snapshotId }: { imageId: string; snapshotId: string },
): Promise<void> {
  const requests = [
    client.deleteVolume(volumeId),
    client.revertVolume(volumeId, { snapshotId }),
    client.reimageVolume(volumeId, { imageId }),
    client.uploadVolume(volumeId, { diskFormat: 'raw' }),
    client.attachVolume(volumeId, { guest: 'another' }),
  ]
  for (const answer of await Promise.allSettled(requests)) {
    const reason = answer.status === 'rejected' ? (answer.reason as unknown) : undefined
    expect(reason).toBeInstanceOf(ApiError)
    expect(reason).toMatchObject({
      status: 409,
      code: 'volumeInUse',
      message: expect.stringMatching(/Detach/),
    })
  }
}
