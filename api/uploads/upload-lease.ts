import { LIMITS } from '../../domain/limits.ts'
import type { Database } from '../../database/open.ts'
import { renewUpload, type Upload } from '../../database/requests/uploads.ts'
import { HttpError } from '../http-error.ts'
import type { IncomingBody } from './incoming-body.ts'

/** Renews an upload's lease as long as bytes keep coming, and says when it is lost. */
export class UploadLease {
  readonly #database: Database
  readonly #upload: Upload
  readonly #body: IncomingBody
  readonly #lost = new AbortController()
  readonly #timer: NodeJS.Timeout
  #renewedAtBytes = 0
  #idleSinceMs = performance.now()

  constructor(database: Database, upload: Upload, body: IncomingBody) {
    this.#database = database
    this.#upload = upload
    this.#body = body
    this.#timer = setInterval(() => void this.#renew(), LIMITS.uploadRenewMs)
  }

  static isHeld(database: Database, upload: Upload): Promise<boolean> {
    return renewUpload(database, upload)
  }

  /** Its reason is the HttpError to answer with. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #renew(): Promise<void> {
    const { sizeBytes, isAheadOfUs } = this.#body
    const isAlive = isAheadOfUs || sizeBytes > this.#renewedAtBytes
    if (!isAlive && performance.now() - this.#idleSinceMs >= LIMITS.uploadLeaseMs) {
      this.#lose(
        408,
        'uploadStalled',
        'No bytes came for a while, and the upload was given up. Upload again.',
      )
    }
    if (!isAlive) return
    this.#renewedAtBytes = sizeBytes
    this.#idleSinceMs = performance.now()
    // A database that cannot answer now may do so next time; the lease lasts longer than one interval.
    const held = await renewUpload(this.#database, this.#upload).catch(() => true)
    if (!held) this.#lose(408, 'uploadLost', 'The upload took too long and was given up. Upload again.')
  }

  #lose(status: 408, code: string, message: string): void {
    this.stop()
    this.#lost.abort(new HttpError(status, code, message))
  }
}
