/**
 * Every way in which an image changes its status, in Glance's words. `source` names the code of Glance that the row follows; where we
 * refuse what Glance takes, `stricter` says why. OPERATION_ROLES and the requests take their statuses from here.
 */
export interface ImageTransition {
  readonly from: readonly ImageStatus[]
  /** Shown while it lasts; the same as `to` where it takes one transaction. */
  readonly during: ImageStatus
  /** `gone`: the image is no more. */
  readonly to: ImageStatus | 'gone'
  /** What a failure or a cancellation leaves. */
  readonly failed: ImageStatus
  readonly source: string
  readonly stricter?: string
}

export type ImageStatus =
  | 'queued'
  | 'saving'
  | 'uploading'
  | 'importing'
  | 'active'
  | 'deactivated'
  | 'pending_delete'

/** By what users ask for. */
export const IMAGE_TRANSITIONS = {
  upload: {
    from: ['queued'],
    during: 'saving',
    to: 'active',
    failed: 'queued',
    source: 'glance/api/v2/image_data.py: ImageDataController.upload, _restore',
  },
  stage: {
    from: ['queued'],
    during: 'uploading',
    to: 'uploading',
    failed: 'queued',
    source: 'glance/api/v2/image_data.py: ImageDataController.stage',
  },
  import: {
    from: ['uploading'],
    during: 'importing',
    to: 'active',
    failed: 'queued',
    source: 'glance/api/v2/images.py: ImagesController.import_image; glance/async_/flows/api_image_import.py',
  },
  copy: {
    from: ['active'],
    during: 'active',
    to: 'active',
    failed: 'active',
    source: 'glance/api/v2/images.py: ImagesController.import_image, method copy-image',
  },
  deactivate: {
    from: ['active', 'deactivated'],
    during: 'deactivated',
    to: 'deactivated',
    failed: 'active',
    source: 'glance/domain/__init__.py: Image.deactivate',
  },
  reactivate: {
    from: ['active', 'deactivated'],
    during: 'active',
    to: 'active',
    failed: 'deactivated',
    source: 'glance/domain/__init__.py: Image.reactivate',
  },
  delete: {
    from: ['queued', 'uploading', 'active', 'deactivated', 'pending_delete'],
    during: 'pending_delete',
    to: 'gone',
    failed: 'pending_delete',
    source: 'glance/api/v2/images.py: ImagesController.delete; glance/domain/__init__.py: Image.delete',
    stricter:
      'While bytes are moving (saving, importing) the answer is 409: who moves them has to end first.',
  },
} as const satisfies Record<string, ImageTransition>

export type ImageCall = keyof typeof IMAGE_TRANSITIONS

/** Bytes are on their way out: for users of the Image API the image is gone already, as in Glance with delayed_delete. */
export const INVISIBLE_IMAGE_STATUS = 'pending_delete' satisfies ImageStatus

export function mayImage(call: ImageCall, status: string): boolean {
  return (IMAGE_TRANSITIONS[call].from as readonly string[]).includes(status)
}
