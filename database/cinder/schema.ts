/** Tables of what Cinder keeps besides volumes, snapshots and backups. */
import type { Generated } from 'kysely'

export interface BlockStorageTables {
  volumeTypes: VolumeTypesTable
  volumeTypeAccess: VolumeTypeAccessTable
  defaultVolumeTypes: DefaultVolumeTypesTable
  volumeTransfers: VolumeTransfersTable
  volumeConnections: VolumeConnectionsTable
  messages: MessagesTable
  backendStates: BackendStatesTable
}

export interface VolumeTypesTable {
  id: string
  name: string
  description: string | null
  isPublic: number
  /** JSON object of strings. */
  extraSpecs: string
  /** JSON of an encryption record; null: volumes of it are not encrypted. */
  encryption: string | null
  createdAt: string
  updatedAt: string | null
}

/** Projects that may use a type that is not public. */
interface VolumeTypeAccessTable {
  volumeTypeId: string
  projectId: string
}

interface DefaultVolumeTypesTable {
  projectId: string
  volumeTypeId: string
}

/** A volume that its project offers to whoever has the key. */
export interface VolumeTransfersTable {
  id: string
  volumeId: string
  projectId: string
  /** Set when it was accepted. */
  destinationProjectId: string | null
  name: string | null
  noSnapshots: number
  salt: string
  keyHash: string
  createdAt: string
}

/** Who shall have, has, or had a volume: Cinder's attachments. Whether a guest has it open, `attachments` says. */
export interface VolumeConnectionsTable {
  id: string
  volumeId: string
  projectId: string
  userId: string
  instanceId: string | null
  status: 'reserved' | 'attaching' | 'attached' | 'detaching' | 'error_attaching'
  mode: 'rw' | 'ro'
  hostName: string | null
  mountpoint: string | null
  /** JSON, as the client gave it. */
  connector: string | null
  /** JSON, as the client was told. */
  connectionInfo: string | null
  attachedAt: string | null
  createdAt: string
  updatedAt: string | null
}

/** What a user is told about something that failed after its request was accepted. */
export interface MessagesTable {
  id: string
  projectId: string
  requestId: string | null
  resourceType: string
  resourceId: string | null
  eventId: string
  level: string
  text: string
  createdAt: string
  expiresAt: string
}

export interface BackendStatesTable {
  backend: string
  /** As a worker measured last; null: never. */
  totalBytes: number | null
  freeBytes: number | null
  measuredAt: string | null
  /** 1: it gets no new volumes. */
  disabled: Generated<number>
  disabledReason: string | null
  frozen: Generated<number>
}
