import type { Selectable } from 'kysely'
import type { ImagesTable } from './schema.ts'

/** Cinder's volume_image_metadata of a volume with this image's bytes, as JSON: its properties say how a guest is to boot from it. */
export function volumeImageMetadata(image: Selectable<ImagesTable>): string {
  return JSON.stringify({
    ...(JSON.parse(image.metadata) as Record<string, string>),
    image_id: image.id,
    image_name: image.name ?? '',
    checksum: image.checksum ?? '',
    container_format: image.containerFormat ?? '',
    disk_format: image.diskFormat ?? '',
    min_disk: String(image.minDisk),
    min_ram: String(image.minRam),
    size: String(image.sizeBytes ?? 0),
  })
}
