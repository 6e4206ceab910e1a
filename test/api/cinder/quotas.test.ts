import { expect, test } from 'vitest'
import { startCinder } from './cinder-api.ts'

test('Quotas are shown with usage, set for a project, refused when full, and taken back', async () => {
  const cinder = await startCinder()
  const { ok, refused, volume } = cinder
  await volume()
  const set = { quota_set: { volumes: 1, gigabytes: '50', tenant_id: 'p1' } }
  expect(await ok(200, 'PUT', '/os-quota-sets/p1', set)).toMatchObject({
    quota_set: { volumes: 1, gigabytes: 50 },
  })
  expect(await ok(200, 'GET', '/os-quota-sets/p1?usage=True')).toMatchObject({
    quota_set: { id: 'p1', volumes: { limit: 1, in_use: 1, reserved: 0 }, gigabytes: { in_use: 1 } },
  })
  expect(await ok(200, 'GET', '/limits')).toMatchObject({
    limits: { rate: [], absolute: { maxTotalVolumes: 1, totalVolumesUsed: 1, totalGigabytesUsed: 1 } },
  })
  expect(await refused(413, 'POST', '/volumes', { volume: { size: 1 } })).toBe(
    "Maximum number of volumes allowed (1) exceeded for quota 'volumes'.",
  )
  await ok(200, 'DELETE', '/os-quota-sets/p1')
  await volume()
  const classSet = { quota_class_set: { snapshots: 3 } }
  await ok(200, 'PUT', '/os-quota-class-sets/default', classSet)
  expect(await ok(200, 'GET', '/os-quota-sets/p1/defaults')).toMatchObject({ quota_set: { snapshots: 3 } })
  expect(await ok(200, 'GET', '/os-quota-class-sets/default')).toMatchObject(classSet)
})

test.for<[object]>([[{ colours: 1 }], [{ volumes: -2 }], [{ volumes: 'many' }], [{ volumes: null }]])(
  'The quotas %j are refused',
  async ([quotaSet]) => {
    const { refused } = await startCinder()
    expect(await refused(400, 'PUT', '/os-quota-sets/p1', { quota_set: quotaSet })).toMatch(/quota/)
  },
)

test('Only administrators set quotas, and others see their own', async () => {
  const member = { userId: 'u', projectId: 'p1', roles: ['member'], isAdmin: false, readOnly: false }
  const authentication = { callerOf: async () => ({ ...member, authType: 'token' as const }) }
  const { ok, refused } = await startCinder({ authentication })
  await ok(200, 'GET', '/os-quota-sets/p1')
  await refused(403, 'GET', '/os-quota-sets/p2')
  await refused(403, 'PUT', '/os-quota-sets/p1', { quota_set: { volumes: 99 } })
  await refused(403, 'DELETE', '/os-quota-sets/p1')
  await refused(403, 'PUT', '/os-quota-class-sets/default', { quota_class_set: { volumes: 99 } })
})
