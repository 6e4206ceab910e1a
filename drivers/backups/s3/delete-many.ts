import {
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type _Error as S3Error,
  type ObjectIdentifier,
  type S3Client,
} from '@aws-sdk/client-s3'
import pMap from 'p-map'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { withRetries } from './retries.ts'

/** How servers say that an object's retention has not ended: with codes that mean other things, too. */
const LOCKED = /object.?lock|WORM|retention/i

/**
 * Deletes objects of one bucket by their full names, a thousand with a request. In a bucket with versions the versions are deleted: a
 * mark of deletion would only hide them, and nobody would ever free their space.
 */
export function createDeleteMany(client: S3Client, bucket: string) {
  let versioned: Promise<boolean> | undefined
  return async (names: readonly string[], signal?: AbortSignal): Promise<{ locked: string[] }> => {
    versioned ??= isVersioned(client, bucket).catch((error: unknown) => {
      versioned = undefined
      throw error
    })
    const objects = (await versioned)
      ? (await pMap(names, (name) => versionsOf(client, bucket, name, signal), CONCURRENCY)).flat()
      : names.map((name) => ({ Key: name }))
    const locked = new Set<string>()
    for (let at = 0; at < objects.length; at += LIMITS.deletionBatch) {
      const batch = objects.slice(at, at + LIMITS.deletionBatch)
      for (const name of await deleteBatch(client, bucket, batch, signal)) locked.add(name)
    }
    return { locked: [...locked] }
  }
}

const CONCURRENCY = { concurrency: LIMITS.targetRequests }

/** Object lock needs versions, so that a bucket without them locks nothing. */
async function isVersioned(client: S3Client, bucket: string): Promise<boolean> {
  return withRetries(undefined, async () => {
    try {
      const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: bucket }))
      return Status !== undefined
    } catch (error) {
      // A server that does not know the question has no versions.
      if (error instanceof Error && NO_VERSIONS.has(error.name)) return false
      throw error
    }
  })
}

const NO_VERSIONS = new Set(['NotImplemented', 'MethodNotAllowed', 'VersioningNotConfigured'])

async function versionsOf(
  client: S3Client,
  bucket: string,
  name: string,
  signal: AbortSignal | undefined,
): Promise<ObjectIdentifier[]> {
  return withRetries(signal, async () => {
    const command = new ListObjectVersionsCommand({ Bucket: bucket, Prefix: name })
    const { Versions = [], DeleteMarkers = [] } = await client.send(command, abortable(signal))
    return [...Versions, ...DeleteMarkers]
      .filter(({ Key }) => Key === name)
      .map(({ Key, VersionId }) => ({ Key, VersionId }))
  })
}

/** Returns the names of what is locked. */
async function deleteBatch(
  client: S3Client,
  bucket: string,
  objects: ObjectIdentifier[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  return withRetries(signal, async () => {
    const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects, Quiet: true } })
    const { Errors = [] } = await client.send(command, abortable(signal))
    const isLocked = ({ Code = '', Message = '' }: S3Error) => LOCKED.test(`${Code} ${Message}`)
    const failed = Errors.find((error) => !isLocked(error) && error.Code !== 'NoSuchKey')
    if (failed !== undefined) {
      throw new DriverError(
        failed.Code === 'AccessDenied' ? 'invalid' : 'transient',
        `Expected the S3 service to delete an object, got ${failed.Code ?? 'no reason'}: ${failed.Message ?? ''}`,
      )
    }
    return Errors.filter(isLocked).map(({ Key = '' }) => Key)
  })
}

function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal }
}
