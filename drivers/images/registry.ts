import type { ImageStore } from './driver.ts'
import { openFileImageStore } from './file/file-image-store.ts'

/** What the configuration says about one store. `path`: the directory, on this host. */
export interface ImageStoreConfig {
  readonly driver: 'file'
  readonly path: string
}

export function openImageStore(config: ImageStoreConfig): Promise<ImageStore> {
  switch (config.driver) {
    case 'file':
      return openFileImageStore(config.path)
  }
}
