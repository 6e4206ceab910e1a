import { expect, test } from 'vitest'
import { Destinations } from '../../webhooks/destinations.ts'

const PUBLIC_ONLY = new Destinations({ allowHttp: false, allowedNetworks: [] })

test.for([
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['10.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['169.254.169.254', 'link local'],
  ['100.64.0.1', 'carrier grade nat'],
  ['100.127.255.255', 'carrier grade nat'],
  ['192.0.0.8', 'reserved'],
  ['198.18.0.1', 'reserved'],
  ['203.0.113.7', 'reserved'],
  ['224.0.0.1', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::7f00:1', 'reserved'],
  ['::127.0.0.1', 'ipv4 mapped'],
  ['::ffff:127.0.0.1', 'ipv4 mapped'],
  ['::ffff:8.8.8.8', 'ipv4 mapped'],
  ['::ffff:0:127.0.0.1', 'rfc6145'],
  ['64:ff9b::7f00:1', 'rfc6052'],
  ['64:ff9b:1::a00:1', 'rfc6052'],
  ['2002:7f00:1::', '6to4'],
  ['2001:0:7f00:1::', 'teredo'],
  ['fe80::1', 'link local'],
  ['fe80::1%lo', 'link local'],
  ['fec0::1', 'deprecated site local'],
  ['fc00::1', 'unique local'],
  ['fd12:3456::1', 'unique local'],
  ['ff02::1', 'multicast'],
  ['100::1', 'discard'],
  ['2001:db8::1', 'reserved'],
  ['3fff::1', 'reserved'],
  ['4000::1', 'reserved'],
  ['example.org', 'unknown'],
  ['', 'unknown'],
] as const)('nothing is sent to %s, which is %s', ([address, range]) => {
  expect(PUBLIC_ONLY.forbiddenRangeOf(address)).toBe(range)
})

test.for(['8.8.8.8', '100.63.255.255', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001::1'])(
  'the public address %s may be sent to',
  (address) => {
    expect(PUBLIC_ONLY.forbiddenRangeOf(address)).toBeUndefined()
  },
)

test('networks that the operator allows may be sent to, in the family in which they are allowed', () => {
  const allowed = new Destinations({ allowHttp: true, allowedNetworks: ['10.1.0.0/16', 'fd00:1::/32'] })
  expect(['10.1.2.3', 'fd00:1::5'].map((address) => allowed.forbiddenRangeOf(address))).toEqual([
    undefined,
    undefined,
  ])
  const others = ['10.2.0.1', 'fd00:2::5', '::ffff:10.1.2.3', '127.0.0.1']
  expect(others.map((address) => allowed.forbiddenRangeOf(address))).toEqual([
    'private',
    'unique local',
    'ipv4 mapped',
    'loopback',
  ])
  expect(allowed.checkUrl('http://10.1.2.3:8080/x').href).toBe('http://10.1.2.3:8080/x')
})

test.for([
  ['http://example.org/', /Expected an https URL. For http/],
  ['ftp://example.org/', /Expected an https URL/],
  ['file:///etc/passwd', /Expected an https URL/],
  ['example.org', /Expected an https URL/],
  ['', /Expected an https URL/],
  [`https://example.org/${'x'.repeat(2048)}`, /at most 2048 characters/],
  ['https://user:word@example.org/', /without user, password and fragment/],
  ['https://example.org/#top', /without user, password and fragment/],
  ['https://localhost/', /loopback/],
  ['https://LOCALHOST./', /loopback/],
  ['https://api.localhost:8443/', /loopback/],
  ['https://127.1/', /loopback/],
  ['https://2130706433/', /loopback/],
  ['https://0x7f000001/', /loopback/],
  ['https://0177.0.0.1/', /loopback/],
  ['https://127.0.0.1./', /loopback/],
  ['https://①②⑦.0.0.1/', /loopback/],
  ['https://0/', /unspecified/],
  ['https://169.254.169.254/latest/meta-data', /link local/],
  ['https://[::1]/', /loopback/],
  ['https://[::ffff:7f00:1]/', /ipv4 mapped/],
  ['https://[64:ff9b::10.0.0.1]/', /rfc6052/],
] as const)('the URL %j is refused', ([url, message]) => {
  let thrown: unknown
  try {
    PUBLIC_ONLY.checkUrl(url)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toMatchObject({
    ...{ status: 400, code: 'webhookUrlNotAllowed' },
    message: expect.stringMatching(message) as string,
  })
})

test('a URL that is allowed comes back in its normal form', () => {
  expect(PUBLIC_ONLY.checkUrl('HTTPS://Example.ORG:443/a/../b?c=d').href).toBe('https://example.org/b?c=d')
})
