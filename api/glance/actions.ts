import { switchImage } from '../../database/images/change.ts'
import type { ApiContext, App } from '../context.ts'
import { imageIdOf, readerOf } from './reader.ts'

export function actionRoutes(app: App, { database }: ApiContext): void {
  for (const call of ['deactivate', 'reactivate'] as const) {
    app.post(`/v2/images/:id/actions/${call}`, async (request, reply) => {
      await switchImage(database, readerOf(request), { imageId: imageIdOf(request), call })
      return reply.code(204).send()
    })
  }
}
