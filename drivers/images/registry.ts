import type { RbdConfig } from '../volumes/rbd/place.ts'
import type { ImageStore } from './driver.ts'
import { openFileImageStore } from './file/file-image-store.ts'
import { openRbdImageStore } from './rbd/rbd-image-store.ts'

/** What the configuration says about one store. `path`: the directory, on this host. */
export type ImageStoreConfig = { readonly driver: 'file'; readonly path: string } | RbdConfig

/** `folder`: an existing one for sockets and scratch files, with a short path; the system's own for temporary files unless told. */
export function openImageStore(config: ImageStoreConfig, folder?: string): Promise<ImageStore> {
  switch (config.driver) {
    case 'file':
      return openFileImageStore(config.path)
    case 'rbd':
      return openRbdImageStore(config, folder)
  }
}
