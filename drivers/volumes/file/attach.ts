import type { Blockdev } from '../../../block-io/device.ts'
import { needChain, needClosed } from './checks.ts'
import { type GuestPlace, nodeNameOf, withGuest } from '../guest.ts'
import { guestBlockdevOf, repairLeaks } from './layers.ts'
import { type Layout, volumeDirectory } from './layout.ts'
import { currentDirectory } from './replace.ts'
import { standingOf } from './standing.ts'
import { writableChain } from './writable.ts'

/** The volume as the guest shall open it now. A guest that has it open already is left alone. */
export async function attachVolume(
  layout: Layout,
  place: GuestPlace,
  { volumeId, guest }: { volumeId: string; guest?: string },
): Promise<Blockdev> {
  const directory = await currentDirectory(volumeDirectory(layout, volumeId))
  await needChain(directory, 'volume')
  const isOpen =
    guest !== undefined &&
    (await withGuest(
      place,
      guest,
      async (monitor) => monitor !== undefined && (await standingOf(monitor, directory)).active !== undefined,
    ))
  if (!isOpen) {
    await needClosed(directory)
    await repairLeaks((await writableChain(layout, directory)).top)
  }
  return guestBlockdevOf((await needChain(directory, 'volume')).layers, nodeNameOf(volumeId))
}

/** Throws `inUse` while somebody has it open for writing. */
export async function detachVolume(layout: Layout, volumeId: string): Promise<void> {
  await needClosed(await currentDirectory(volumeDirectory(layout, volumeId)))
}
