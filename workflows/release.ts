import { control, onPlace } from './proxies.ts'

/**
 * Releases what the operation made, newest first. What a place cannot release now (a permanent failure) keeps its row, and the
 * janitor tries again after the operation has ended.
 */
export async function releaseArtifacts(operationId: string, purpose: 'temporary' | 'all'): Promise<void> {
  for (const artifact of await control.artifacts(operationId, purpose)) {
    try {
      await onPlace(artifact.placeType, artifact.place).releaseArtifact(artifact)
    } catch {
      // The row stays; see above.
    }
  }
}
