import { expect, test } from 'vitest'
import { allows, rightsOf, type Rule, sees } from '../../domain/policy.ts'

test.for<[string[], Rule[]]>([
  [['admin'], ['read', 'write', 'admin']],
  [
    ['Member', 'reader'],
    ['read', 'write'],
  ],
  [['reader'], ['read']],
  [['reader', 'creator'], ['read']],
  [['creator'], []],
  [[], []],
])('The roles %j allow %j', ([roles, allowed]) => {
  const rights = rightsOf(roles)
  const rules: Rule[] = ['read', 'write', 'admin']
  expect(rules.filter((rule) => rights !== undefined && allows(rights, rule))).toEqual(allowed)
})

test('A project sees its own, an administrator everything', () => {
  const caller = { projectId: 'ours', isAdmin: false, readOnly: false }
  expect([sees(caller, 'ours'), sees(caller, 'theirs')]).toEqual([true, false])
  expect(sees({ ...caller, isAdmin: true }, 'theirs')).toBe(true)
})
