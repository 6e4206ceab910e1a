/** Compares a pool of images with the database: the bytes of every active image, as `rbd export` gives them, and nothing else. */
import type { Row } from './database.ts'
import { checkImageBytes } from './image-store.ts'
import type { RbdPlaceToCheck } from './installation.ts'
import { poolSpec, rbd, rbdBytes } from './rbd-backend.ts'

export interface RbdStoreToCheck {
  readonly name: string
  readonly place: RbdPlaceToCheck
  readonly images: readonly Row[]
}

export async function checkRbdStore({ name, place, images }: RbdStoreToCheck): Promise<string[]> {
  const present = await rbd<string[]>(place, ['ls', poolSpec(place)])
  const trash = await rbd<{ name: string }[]>(place, ['trash', 'ls', poolSpec(place)])
  const active = new Map(
    images.filter((row) => row.status !== 'queued').map((row) => [String(row.id), row] as const),
  )
  const violations = [
    // What is derived from an image is as old as the image may become.
    ...present
      .filter((image) => !active.has(image.replace(/\.raw$/, '')))
      .map((image) => `leftover: ${image}`),
    // What waits for its clones to go, and says so in its name.
    ...trash
      .filter((entry) => !/^[-0-9a-f]{36}(?:\.raw)?\.removed-/.test(entry.name))
      .map((entry) => `leftover in the trash: ${entry.name}`),
  ]
  for (const [id, row] of active) {
    if (present.includes(id)) violations.push(...(await checkImageBytes(rbdBytes(place, `${id}@snap`), row)))
    else if (row.status !== 'pending_delete') violations.push(`image ${id} is not there`)
  }
  return violations.map((violation) => `store ${name}: ${violation}`)
}
