import { z } from 'zod'
import { type AttachmentRow, attachmentOf } from '../../database/attachments.ts'
import { requestAttachment, requestDetachment } from '../../database/requests/attachments.ts'
import { requireResource } from '../../database/resources.ts'
import { GUEST_NAME } from '../../domain/guests.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { ERRORS, ID_PARAMS } from './fields.ts'
import { TIME, VOLUME_ACCEPTED } from './schemas.ts'
import { answerVolume } from './volume-actions.ts'

const ATTACH = z
  .strictObject({
    guest: z
      .string()
      .regex(GUEST_NAME, 'letters, digits, dots, dashes and underscores, at most 64')
      .exactOptional()
      .describe(
        "Its qemu is asked for what must be done while it has the volume: `<guest>.sock` in the backend's guestSockets",
      ),
  })
  .meta({ id: 'AttachVolume' })

const ATTACHMENTS = z
  .object({
    items: z.array(
      z.object({ id: z.string(), volumeId: z.string(), guest: z.string().nullable(), createdAt: TIME }),
    ),
  })
  .meta({ id: 'AttachmentList' })

const COMMON = { tags: ['volumes'], params: ID_PARAMS }
const ACTION = { ...COMMON, response: { 202: VOLUME_ACCEPTED, ...ERRORS } }

/** Who has a volume open. */
export function attachmentRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.post(
    '/volumes/:id/attach',
    {
      schema: {
        ...ACTION,
        summary: 'Give a volume to a guest; the result says how its qemu opens it',
        body: ATTACH,
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestAttachment(database, actor, request.params.id, request.body)
      return answerVolume(context, actor, accepted, reply)
    },
  )
  app.post(
    '/volumes/:id/detach',
    { schema: { ...ACTION, summary: 'Take a volume back that no guest has open any more' } },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestDetachment(database, actor, request.params.id)
      return answerVolume(context, actor, accepted, reply)
    },
  )
  app.get(
    '/volumes/:id/attachments',
    { schema: { ...COMMON, summary: 'List who has a volume', response: { 200: ATTACHMENTS, ...ERRORS } } },
    async (request) => {
      const { id } = request.params
      await requireResource(database, 'volume', { id, projectId: actorOf(request).projectId })
      const attachment = await attachmentOf(database, id)
      return { items: attachment === undefined ? [] : [attachmentView(attachment)] }
    },
  )
}

function attachmentView({ id, volumeId, guest, createdAt }: AttachmentRow) {
  return { id, volumeId, guest, createdAt }
}
