import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { expect, test } from 'vitest'
import { formatJson, formatTable, type Step } from '../../scripts/demo/report.ts'

const STEPS: Step[] = [
  { name: 'snapshot', path: '-', bytesMoved: 0, seconds: 0.04, sha256: 'a'.repeat(64), identical: true },
  {
    name: 'restore',
    path: 'download',
    bytesMoved: 3 * 1024 * 1024,
    seconds: 12.3456,
    sha256: 'b'.repeat(64),
    identical: false,
  },
]

test('the table aligns numbers to the right and says what differs', () => {
  expect(formatTable(STEPS, new PassThrough() as unknown as WriteStream).split('\n')).toEqual([
    'STEP      PATH      BYTES MOVED  SECONDS  SHA-256',
    'snapshot  -                   0      0.0  aaaaaaaaaaaa… identical',
    'restore   download        3 MiB     12.3  bbbbbbbbbbbb… DIFFERENT',
  ])
})

test('the line of JSON has what was promised and nothing else', () => {
  const killed = { at: 0.5, bytesRedone: 7 }
  const result = JSON.parse(formatJson({ identical: false, booted: null, steps: STEPS, killed }))
  expect(result).toEqual({
    identical: false,
    booted: null,
    steps: [
      { name: 'snapshot', path: '-', bytesMoved: 0, seconds: 0.04, sha256: 'a'.repeat(64) },
      {
        name: 'restore',
        path: 'download',
        bytesMoved: 3 * 1024 * 1024,
        seconds: 12.346,
        sha256: 'b'.repeat(64),
      },
    ],
    killed,
  })
})
