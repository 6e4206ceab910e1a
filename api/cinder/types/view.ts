import type { FastifyRequest } from 'fastify'
import { type ExtraSpecs, requireVolumeType, type VolumeTypeRow } from '../../../database/cinder/types.ts'
import type { ApiContext } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'

/** Specs that everybody may see, because they change what a volume can do for its user. */
const VISIBLE = new Set(['multiattach', 'RESKEY:availability_zones', 'replication_enabled'])

export function typeView(request: FastifyRequest, row: VolumeTypeRow) {
  const { isAdmin } = callerOf(request)
  return { ...newTypeView(request, row), ...(isAdmin ? { qos_specs_id: null } : {}) }
}

/** What creation answers. */
export function newTypeView(request: FastifyRequest, row: VolumeTypeRow) {
  return { ...changedTypeView(request, row), 'os-volume-type-access:is_public': row.isPublic === 1 }
}

/** What a change answers: Cinder adds the rest by extensions, to types that are shown. */
export function changedTypeView(request: FastifyRequest, row: VolumeTypeRow) {
  const { isAdmin } = callerOf(request)
  const specs = Object.entries(JSON.parse(row.extraSpecs) as ExtraSpecs)
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    is_public: row.isPublic === 1,
    extra_specs: Object.fromEntries(specs.filter(([key]) => isAdmin || VISIBLE.has(key))),
  }
}

/** The type of the path, if the caller may use it. Throws RequestError 404. */
export function visibleType({ database }: ApiContext, request: FastifyRequest) {
  const { id } = request.params as { id: string }
  const { isAdmin, projectId } = callerOf(request)
  return requireVolumeType(database, id, isAdmin ? undefined : projectId)
}
