import type { Logger } from 'pino'
import type { Database } from '../database/open.ts'
import type { PlaceNames } from '../database/requests/places.ts'
import type { ImageStore } from '../drivers/images/driver.ts'
import type { Authentication } from './identity/authenticate.ts'

interface OperationKey {
  readonly operationId: string
  readonly projectId: string
}

/** What the composition root gives to the API. */
export interface ApiDependencies {
  readonly database: Database
  /** Starts the operation's workflow. The API does not wait for it: the sweeper repeats what failed. */
  readonly dispatch: (operationId: string) => Promise<void>
  /** Throws RequestError 404 or 409. */
  readonly cancel: (key: OperationKey) => Promise<void>
  /** Throws RequestError 404 or 409. */
  readonly retry: (key: OperationKey) => Promise<void>
  /** Throws RequestError 404 or 409. */
  readonly abandon: (key: OperationKey) => Promise<void>
  readonly authentication: Authentication
  /** Serves our own Keystone below /identity. */
  readonly servesIdentity?: boolean
  /** Where else clients are sent for a token. */
  readonly identityUrl?: string
  /** `https://cloud.example.org`: what links begin with; default: the host that the request named. */
  readonly publicUrl?: string
  readonly places: PlaceNames
  readonly imageStores: ReadonlyMap<string, ImageStore>
  readonly webhooks: WebhookRules
  readonly logger: Logger
  readonly isReady: () => Promise<Readiness>
  /** Names besides the loopback ones under which the API may be called. */
  readonly allowedHosts?: readonly string[]
  /** Default: LIMITS.imageSizeMaxBytes. */
  readonly imageSizeMaxBytes?: number
  /** Default: IMAGE_LIMITS.uploadAnswerMs. */
  readonly uploadAnswerMs?: number
}

export interface WebhookRules {
  /** The URL in its normal form. Throws RequestError 400 when nothing may be sent there. */
  readonly checkUrl: (url: string) => string
  /** Derived each time: it is stored nowhere. */
  readonly secretOf: (webhookId: string, generation: number) => { secret: string; fingerprint: string }
}

interface Readiness {
  readonly ready: boolean
  /** What was checked -> `ok`, or what is wrong. */
  readonly checks: Readonly<Record<string, string>>
}
