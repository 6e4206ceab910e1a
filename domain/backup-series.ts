/**
 * Under which name the backups of a volume are held where a target keeps all of them in one image. It comes behind all UUIDs: whoever
 * deletes a backup that is being made waits for its end first, and then holds this, too.
 */
export function seriesOf(target: string, volumeId: string): string {
  return `volume-${volumeId}@${target}`
}
