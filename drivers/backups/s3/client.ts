import { hash } from 'node:crypto'
import { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import type { TargetSpec } from '../../../backup-format/target.ts'
import { LIMITS } from '../../../domain/limits.ts'

export type S3Spec = Extract<TargetSpec, { driver: 's3' }>

/**
 * Every byte is hashed once: the signature covers the body over plain HTTP, TLS covers it otherwise. (By default the SDK computes a
 * checksum and a hash, and hashes slowly; that costs more than the rest of a request.) Retries are ours: see retries.ts.
 */
export function createClient(spec: S3Spec): S3Client {
  const client = new S3Client({
    endpoint: spec.endpoint,
    region: spec.region,
    credentials: { accessKeyId: spec.accessKeyId, secretAccessKey: spec.secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      httpAgent: new Agent({ keepAlive: true, maxSockets: LIMITS.s3Sockets }),
      httpsAgent: new TlsAgent({ keepAlive: true, maxSockets: LIMITS.s3Sockets }),
      connectionTimeout: LIMITS.s3ConnectMs,
      socketTimeout: LIMITS.s3SocketIdleMs,
    },
  })
  const secure = spec.endpoint.startsWith('https:')
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args
      if (hasBody(request)) {
        request.headers['x-amz-content-sha256'] = secure ? 'UNSIGNED-PAYLOAD' : hash('sha256', request.body)
      }
      return next(args)
    },
    { step: 'build', name: 'hashPayloadOnce', priority: 'low' },
  )
  return client
}

function hasBody(request: unknown): request is { headers: Record<string, string>; body: Uint8Array } {
  return (
    typeof request === 'object' && request !== null && 'body' in request && request.body instanceof Uint8Array
  )
}
