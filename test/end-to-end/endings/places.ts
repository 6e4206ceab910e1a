/** All places of an installation: away as a share that is not mounted, or read-only as a file system that met an error. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scene } from './scene.ts'

/** Folders in the data folder. */
const PLACES = ['volumes', 'more-volumes', 'images', 'second', 'backups', 'far', 'cinder']

/** Answers how to bring them back. */
export async function movePlacesAway(scene: Scene): Promise<() => Promise<void>> {
  const move = async (from: string, to: string) => {
    for (const place of PLACES) await rename(scene.inData(`${place}${from}`), scene.inData(`${place}${to}`))
  }
  await move('', '.away')
  return () => move('.away', '')
}

export const CAN_MOUNT =
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

/** Mounts of their own, for `setReadOnly`. Answers how to unmount them. */
export function mountPlaces(dataFolder: string): () => void {
  const folders = PLACES.map((place) => join(dataFolder, place))
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['--bind', folder, folder])
  }
  return () => folders.forEach((folder) => execFileSync('umount', ['--lazy', folder]))
}

export function setReadOnly(scene: Scene, isReadOnly: boolean): void {
  const options = `remount,bind,${isReadOnly ? 'ro' : 'rw'}`
  for (const place of PLACES) execFileSync('mount', ['-o', options, scene.inData(place)])
}
