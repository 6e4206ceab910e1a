import type { HttpRequest, RequestOptions } from './http.ts'
import type { Accepted, ExportRecord, ScanTargetInput } from './types.ts'

/** `client.cinder`: backups in Cinder's format. */
export class CinderBackupClient {
  readonly #json: <T>(request: HttpRequest) => Promise<T>

  constructor(json: <T>(request: HttpRequest) => Promise<T>) {
    this.#json = json
  }

  /** Finds the backups in a target; with a record only that one. */
  scanTarget(name: string, scan: ScanTargetInput = {}, options?: RequestOptions): Promise<Accepted> {
    const path = `/targets/${encodeURIComponent(name)}/scan`
    return this.#json({ method: 'POST', path, json: scan, ...options })
  }

  /** For `cinder backup-import`. */
  exportRecord(id: string, options?: RequestOptions): Promise<ExportRecord> {
    return this.#json({ method: 'GET', path: `${pathOf(id)}/export-record`, ...options })
  }
}

function pathOf(id: string): string {
  return `/backups/${encodeURIComponent(id)}`
}
