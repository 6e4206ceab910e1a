/**
 * What a Node server does at least: takes a file with PUT, hashes it with md5 and sha512 on the way to the disk, where it is when the
 * answer is sent; and sends it with GET. `node bare-image-server.mjs FILE` prints its port.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const BLOCK_BYTES = 1024 * 1024
const path = process.argv[2]

const server = createServer((request, response) => {
  const handled = request.method === 'PUT' ? receive(request, response) : send(response)
  handled.catch((error) => response.destroy(error))
})

async function receive(request, response) {
  const hashes = [createHash('md5'), createHash('sha512')]
  const hashing = new Transform({
    highWaterMark: BLOCK_BYTES,
    transform(chunk, _encoding, done) {
      for (const hash of hashes) hash.update(chunk)
      done(undefined, chunk)
    },
  })
  await pipeline(request, hashing, createWriteStream(path, { highWaterMark: BLOCK_BYTES }))
  const file = await open(path, 'r+')
  await file.sync()
  await file.close()
  response.end(hashes.map((hash) => hash.digest('hex')).join('\n'))
}

async function send(response) {
  response.setHeader('content-length', (await stat(path)).size)
  await pipeline(createReadStream(path, { highWaterMark: BLOCK_BYTES }), response)
}

server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
