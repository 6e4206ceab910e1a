import type { ImageRecord } from '../../database/images/parts.ts'

type Json = string | number | boolean | null | readonly string[]

/** An image in Glance's words; what the image says of itself comes first, so that nothing of ours can be hidden by it. */
export function imageView(image: ImageRecord): Record<string, Json> {
  const { id, name, status, visibility } = image
  return {
    ...(JSON.parse(image.metadata) as Record<string, string>),
    ...{ id, name, status, visibility },
    owner: image.projectId,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    size: image.sizeBytes,
    virtual_size: image.virtualSizeBytes,
    checksum: image.checksum,
    os_hash_algo: image.osHashAlgo,
    os_hash_value: image.osHashValue,
    os_hidden: image.osHidden === 1,
    protected: image.protected === 1,
    min_disk: image.minDisk,
    min_ram: image.minRam,
    tags: image.tags,
    created_at: glanceTime(image.createdAt),
    updated_at: glanceTime(image.updatedAt ?? image.createdAt),
    ...(image.stores.length === 0 ? {} : { stores: image.stores.join(',') }),
    ...(image.comingTo.length === 0 ? {} : { os_glance_importing_to_stores: image.comingTo.join(',') }),
    self: `/v2/images/${id}`,
    file: `/v2/images/${id}/file`,
    schema: '/v2/schemas/image',
  }
}

/** Whole seconds and a Z: Go's clients read nothing else. */
export function glanceTime(iso: string): string {
  return `${iso.slice(0, 19)}Z`
}
