import { Agent, type ClientRequestArgs } from 'node:http'
import { connect, type OnReadOpts, type Socket, type TcpNetConnectOpts } from 'node:net'
import { Agent as TlsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import type { TargetSpec } from '../../../backup-format/target.ts'
import { LIMITS } from '../../../domain/limits.ts'

export type S3Spec = Extract<TargetSpec, { driver: 's3' }>

/**
 * Bodies are neither hashed nor signed: they carry a CRC that the server checks (see target.ts), a third of the cost on both sides.
 * Over TLS nobody is in between, and over plain HTTP whoever is could answer in the server's place: what keeps objects from being
 * altered or swapped is their seal. (By default the SDK hashes each body twice, and slowly; that costs more than the rest of a
 * request.) Retries are ours: see retries.ts.
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
      httpAgent: new OneBufferAgent({ keepAlive: true, maxSockets: LIMITS.s3Sockets }),
      httpsAgent: new TlsAgent({ keepAlive: true, maxSockets: LIMITS.s3Sockets }),
      connectionTimeout: LIMITS.s3ConnectMs,
      socketTimeout: LIMITS.s3SocketIdleMs,
    },
  })
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args
      if (hasBody(request)) request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      return next(args)
    },
    { step: 'build', name: 'unsignedPayload', priority: 'low' },
  )
  return client
}

/**
 * Its sockets read into one buffer each. Node would allocate one for each 64 KiB that arrive, and V8, which feels their weight, mark its
 * whole heap ten times a second: a third of the processor time of a restore. Whoever is told of bytes has taken them before the next are read.
 */
class OneBufferAgent extends Agent {
  override createConnection(options: ClientRequestArgs): Socket {
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(LIMITS.s3ReadBytes),
      callback: (bytes, { buffer, byteOffset }) =>
        socket.emit('data', Buffer.from(buffer, byteOffset, bytes)),
    }
    const socket = connect({ ...options, onread } as TcpNetConnectOpts)
    return socket
  }
}

function hasBody(request: unknown): request is { headers: Record<string, string>; body: Uint8Array } {
  return (
    typeof request === 'object' && request !== null && 'body' in request && request.body instanceof Uint8Array
  )
}
