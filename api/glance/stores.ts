import { requireOwnImage } from '../../database/images/visible.ts'
import { requestImageCopyRemoval } from '../../database/requests/remove-image-copy.ts'
import type { ApiContext, App } from '../context.ts'
import { actorFor, imageIdOf, readerOf } from './reader.ts'
import { started } from './started.ts'

export function storeRoutes(app: App, context: ApiContext): void {
  app.delete('/v2/stores/:store/:id', async (request, reply) => {
    const { store = '' } = request.params as { store?: string }
    const image = await requireOwnImage(context.database, readerOf(request), imageIdOf(request))
    const { operationId } = await requestImageCopyRemoval(context.database, actorFor(request, image), {
      imageId: image.id,
      store,
    })
    return started(context, reply, operationId).code(204).send()
  })
}
