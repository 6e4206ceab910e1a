import type { FastifyRequest } from 'fastify'
import { type ImageRecord, withParts } from '../../database/images/parts.ts'
import { requireVisibleImage } from '../../database/images/visible.ts'
import type { ApiContext } from '../context.ts'
import { readerOf } from './reader.ts'

export async function showImage(
  { database }: ApiContext,
  request: FastifyRequest,
  imageId: string,
): Promise<ImageRecord> {
  const [image] = await withParts(database, [await requireVisibleImage(database, readerOf(request), imageId)])
  if (image === undefined) throw new Error(`No image ${imageId}`)
  return image
}
