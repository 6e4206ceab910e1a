import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeSlot, type KeySecret, makeSlot, openSlot, parseSlot } from '../../backup-format/key-slot.ts'
import { addSlot, listSlots, removeSlot, slotKey, type Unlocked } from '../../backup-format/key-slots.ts'
import { newKey } from '../../backup-format/keys.ts'
import { formatRecoveryKey, newRecoveryKey, parseRecoveryKey } from '../../backup-format/recovery-key.ts'
import { createOrOpenRepository, openRepository, registerDomain } from '../../backup-format/repository.ts'
import { createKeyring, unlock } from '../../backup-format/unlock.ts'
import { LIMITS } from '../../domain/limits.ts'
import {
  backUp,
  DOMAIN,
  KEY,
  keyring,
  keysOf,
  makeImage,
  memoryRepository,
  restored,
  SHAPE,
} from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'

const REPO = '5f2c1f6e-0d53-4c57-9d3a-3d1f4bb9c001'
const NOBODY = { repoId: REPO, id: '0'.repeat(16) }
const CHEAP = { n: 2 ** 14, r: 8, p: 1 }
const SECRETS: KeySecret[] = [
  { kind: 'key-file', key: newKey() },
  { kind: 'passphrase', passphrase: 'correct horse battery', cost: CHEAP },
  { kind: 'recovery-key', key: newRecoveryKey() },
  { kind: 'key-manager', key: newKey(), reference: 'vault:x' },
]

describe('a key slot', () => {
  it.each(SECRETS)('of a $kind opens with its secret, and with no other', async (secret) => {
    const masterKey = newKey()
    const made = await makeSlot(masterKey, REPO, secret, 'label')
    const parsed = parseSlot(made, encodeSlot(made, masterKey))
    expect(parsed?.slot).toEqual(made)
    expect(parsed?.isAuthentic(masterKey)).toBe(true)
    expect(parsed?.isAuthentic(newKey())).toBe(false)
    expect(await openSlot(made, secret)).toEqual(masterKey)
    const others = [
      ...SECRETS.filter(({ kind }) => kind !== secret.kind),
      secret.kind === 'passphrase'
        ? { ...secret, passphrase: 'correct horse batterY' }
        : { ...secret, key: newKey() },
    ]
    for (const other of others) expect(await openSlot(made, other)).toBeUndefined()
  })

  it('never shows the master key or the secret, and no two are alike', async () => {
    const masterKey = newKey()
    const secret: KeySecret = { kind: 'key-file', key: newKey() }
    const slots = await Promise.all([1, 2].map(() => makeSlot(masterKey, REPO, secret, '')))
    const text = slots.map((slot) => encodeSlot(slot, masterKey).toString()).join('')
    for (const key of [masterKey, secret.key]) expect(text).not.toContain(Buffer.from(key).toString('hex'))
    expect(new Set(slots.flatMap(({ nonce, wrapped, id }) => [nonce, wrapped, id])).size).toBe(6)
  })

  it('takes a passphrase however its letters are composed', async () => {
    const masterKey = newKey()
    const slot = await makeSlot(
      masterKey,
      REPO,
      { kind: 'passphrase', passphrase: 'Zwölf Dächer', cost: CHEAP },
      '',
    )
    expect(await openSlot(slot, { kind: 'passphrase', passphrase: 'Zwo\u0308lf Da\u0308cher' })).toEqual(
      masterKey,
    )
  })

  it('is told from one in which any bit was flipped, by whoever has the master key', async () => {
    const masterKey = newKey()
    const slot = await makeSlot(masterKey, REPO, { kind: 'key-file', key: KEY }, 'on the shelf')
    const bytes = encodeSlot(slot, masterKey)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(parseSlot(slot, flipped)?.isAuthentic(masterKey) ?? false, `bit ${bit}`).toBe(false)
    }
  })

  it('is none under another name', async () => {
    const slot = await makeSlot(KEY, REPO, { kind: 'key-file', key: KEY }, '')
    expect(parseSlot(NOBODY, encodeSlot(slot, KEY))).toBeUndefined()
  })

  it.each([
    ['2^30 rounds', { n: 2 ** 30 }],
    ['16 GiB of memory', { n: 2 ** 20, r: 128 }],
    ['more than 1 GiB of memory', { n: 2 ** 19, r: 32 }],
    ['rounds that are no power of two', { n: 100_000 }],
    ['a hundred lanes', { p: 100 }],
    ['nothing to guess', { n: 2 }],
  ])('that asks for %s is not computed', async (_what, changed) => {
    const slot = await makeSlot(
      KEY,
      REPO,
      { kind: 'passphrase', passphrase: 'correct horse', cost: CHEAP },
      '',
    )
    if (slot.kind !== 'passphrase') throw new Error('Expected a passphrase')
    const hostile = { ...slot, scrypt: { ...slot.scrypt, ...changed } }
    expect(parseSlot(slot, encodeSlot(hostile, KEY))).toBeUndefined()
  })

  it('is none, whatever bytes are there', () => {
    fc.assert(fc.property(fc.uint8Array(), (noise) => parseSlot(NOBODY, Buffer.from(noise)) === undefined))
    for (const text of ['', '\n', 'null\n', `{}\n${'0'.repeat(64)}\n`, `null\n${'0'.repeat(64)}\n`])
      expect(parseSlot(NOBODY, Buffer.from(text))).toBeUndefined()
  })
})

describe('a recovery key', () => {
  it('is read as it was printed, however it was typed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (key) => {
        const text = formatRecoveryKey(key)
        expect(text).toMatch(/^\d{6}(-\d{6}){7}$/)
        for (const typed of [text, text.replaceAll('-', ''), text.replaceAll('-', ' '), ` ${text}\n`])
          expect(parseRecoveryKey(typed)).toEqual(key)
      }),
    )
  })

  it('says in which group a wrong digit, or two in the wrong order, are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(47), fc.nat(8), (key, at, by) => {
        const digits = formatRecoveryKey(key).replaceAll('-', '')
        const wrong = String((Number(digits[at]) + 1 + by) % 10)
        const group = `group ${Math.floor(at / 6) + 1} `
        expect(() => parseRecoveryKey(digits.slice(0, at) + wrong + digits.slice(at + 1))).toThrow(group)
        const [one = '', two = ''] = digits.slice(at, at + 2)
        if (at % 6 === 5 || one === two) return
        expect(() => parseRecoveryKey(digits.slice(0, at) + two + one + digits.slice(at + 2))).toThrow(group)
      }),
    )
  })

  it.each([
    ['', 'got 0 digits'],
    ['123456', 'got 6 digits'],
    ['x'.repeat(48), 'digits, dashes and spaces alone'],
    ['9'.repeat(48), 'group 1 to be right'],
  ])('refuses %j', (text, message) => {
    expect(() => parseRecoveryKey(text)).toThrow(message)
  })
})

describe('the slots of a repository', () => {
  it('each open it alone, and removing one leaves the others', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('rt.r')
    const { backupId } = await backUp(repository, image)
    const opened = await unlocked(target)
    for (const secret of SECRETS.slice(0, 3)) await addSlot(opened, secret)
    const first = (await listSlots(target, repository.repoId))[0]?.id ?? ''
    await removeSlot(opened, first)
    await removeSlot(opened, first)
    await expect(openRepository(target, keyring())).rejects.toMatchObject({ kind: 'invalid' })
    for (const secret of SECRETS.slice(0, 3)) {
      const again = await openRepository(
        target,
        createKeyring(async () => [secret]),
      )
      if (again === undefined) throw new Error('Expected a repository')
      expect((await restored(again, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
    }
  })

  it('are never less than one that is intact', async () => {
    const { target } = await memoryRepository()
    const opened = await unlocked(target)
    const [only] = await listSlots(target, opened.description.repoId)
    const refused = { kind: 'invalid', message: expect.stringContaining('nobody could ever read') }
    await expect(removeSlot(opened, only?.id ?? '')).rejects.toMatchObject(refused)
    const { id } = await addSlot(opened, { kind: 'recovery-key', key: newRecoveryKey() })
    target.objects.set(slotKey(id), (target.objects.get(slotKey(id)) ?? Buffer.alloc(0)).subarray(0, 99))
    await expect(removeSlot(opened, only?.id ?? '')).rejects.toMatchObject(refused)
    expect(await openRepository(target, keyring())).toBeDefined()
    // What was damaged may go.
    await removeSlot(opened, id)
    expect(keysOf(target, 'keys/')).toEqual([slotKey(only?.id ?? '')])
  })

  it('are not both removed by two who each keep the other one, in any order of their steps', async () => {
    for (let round = 0; round < 100; round += 1) {
      const { target } = await memoryRepository()
      const opened = await unlocked(target)
      const { id } = await addSlot(opened, { kind: 'key-file', key: newKey() })
      const ids = (await listSlots(target, opened.description.repoId)).map((slot) => slot.id)
      expect(ids).toHaveLength(2)
      let calls = 0
      const slow = async () => {
        calls += 1
        for (let turns = (round * 7 + calls * calls * 13) % 8; turns > 0; turns -= 1) await Promise.resolve()
      }
      const remove = (slot: string) =>
        removeSlot({ ...opened, target: new MemoryTarget(target.objects, slow) }, slot)
      await Promise.allSettled(ids.map(remove))
      const left = await listSlots(target, opened.description.repoId)
      expect(left.length, `after removing ${id}`).toBeGreaterThan(0)
      for (const { parsed } of left) expect(parsed?.isAuthentic(opened.masterKey)).toBe(true)
    }
  })

  it('may be removed after whoever began it has died half-way', async () => {
    for (let steps = 0; ; steps += 1) {
      const { target } = await memoryRepository()
      const opened = await unlocked(target)
      const { id } = await addSlot(opened, { kind: 'key-file', key: newKey() })
      let left = steps
      const dying = new MemoryTarget(target.objects, async () => {
        if ((left -= 1) < 0) throw new Error('killed')
      })
      const outcome = await removeSlot({ ...opened, target: dying }, id).catch(
        (error: Error) => error.message,
      )
      await openRepository(target, keyring())
      await removeSlot(opened, id)
      expect(await listSlots(target, opened.description.repoId)).toHaveLength(1)
      if (outcome === undefined) return
      expect(outcome).toBe('killed')
    }
  })

  it('are limited: more of them are not tried', async () => {
    const { target } = await memoryRepository()
    for (let slot = 0; slot < LIMITS.keySlotsMax; slot += 1)
      target.objects.set(`keys/${slot}`, Buffer.alloc(10))
    await expect(openRepository(target, keyring())).rejects.toMatchObject({ kind: 'corrupt' })
  })

  it('do not matter when they are damaged, as long as one opens', async () => {
    const { target } = await memoryRepository()
    target.objects.set('keys/0000000000000000', randomBytes(LIMITS.keySlotMaxBytes + 1))
    target.objects.set('keys/0000000000000001', Buffer.from('{}'))
    expect(await openRepository(target, keyring())).toBeDefined()
  })
})

describe('the creation of a repository', () => {
  it('by many at once leaves one, which all of them have open, and one slot', async () => {
    const target = new MemoryTarget(new Map(), () => Promise.resolve())
    const made = await Promise.all(
      Array.from({ length: 12 }, () => createOrOpenRepository(target, keyring(), SHAPE)),
    )
    expect(new Set(made.map(({ repoId }) => repoId)).size).toBe(1)
    expect(keysOf(target, 'keys/')).toHaveLength(1)
    await Promise.all(made.map((repository) => registerDomain(repository, DOMAIN)))
    const roots = await Promise.all(made.map((repository) => repository.domain(DOMAIN)))
    expect(new Set(roots.map(({ keys }) => Buffer.from(keys.id).toString('hex'))).size).toBe(1)
  })

  it('may die at any step: the next one makes it, or goes on', async () => {
    for (let steps = 0; ; steps += 1) {
      const target = new MemoryTarget()
      let left = steps
      const dying = new MemoryTarget(target.objects, async () => {
        if ((left -= 1) < 0) throw new Error('killed')
      })
      const outcome = await createOrOpenRepository(dying, keyring(), SHAPE)
        .then(
          (repository) => registerDomain(repository, DOMAIN),
          (error: Error) => error.message,
        )
        .catch((error: Error) => error.message)
      const repository = await createOrOpenRepository(target, keyring(), SHAPE)
      const image = await makeImage('r')
      const { backupId } = await backUp(repository, image)
      expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
      if (outcome === undefined) return
      expect(outcome).toBe('killed')
    }
  })

  it('is refused where a repository has lost its description', async () => {
    const { repository, target } = await memoryRepository()
    await backUp(repository, await makeImage('r'))
    target.objects.delete('repo.json')
    await expect(createOrOpenRepository(target, keyring())).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('repo.json, it is missing'),
    })
  })
})

describe('the key of a project', () => {
  it.each([
    ['its first copy is missing', (target: MemoryTarget) => target.objects.delete(`domains/${DOMAIN}`)],
    ['its second copy is missing', (target: MemoryTarget) => target.objects.delete(`d/${DOMAIN}/key`)],
    [
      'its first copy is damaged',
      (target: MemoryTarget) => target.objects.set(`domains/${DOMAIN}`, Buffer.alloc(9)),
    ],
  ])('opens its backups when %s', async (_what, damage) => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('rt')
    const { backupId } = await backUp(repository, image)
    damage(target)
    const again = await createOrOpenRepository(target, keyring())
    expect((await restored(again, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
    const { backupId: next } = await backUp(again, image)
    expect((await restored(again, next, image.bytes.length)).equals(image.bytes)).toBe(true)
    expect(keysOf(target, `domains/${DOMAIN}`).length + keysOf(target, `d/${DOMAIN}/key`).length).toBe(2)
  })

  it('is not made anew where there are backups: they could never be read again', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('r')
    const { backupId } = await backUp(repository, image)
    for (const key of [`domains/${DOMAIN}`, `d/${DOMAIN}/key`]) target.objects.delete(key)
    const again = await createOrOpenRepository(target, keyring())
    const error = { kind: 'corrupt', message: expect.stringContaining(`domains/${DOMAIN}`) }
    await expect(backUp(again, image)).rejects.toMatchObject(error)
    await expect(restored(again, backupId, image.bytes.length)).rejects.toMatchObject(error)
  })

  it('deleted destroys the backups of that project, and no others', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('rr')
    const kept = await backUp(repository, image, { domain: 'other' })
    await backUp(repository, image)
    for (const key of [`domains/${DOMAIN}`, ...keysOf(target, `d/${DOMAIN}/`)]) target.objects.delete(key)
    const again = await createOrOpenRepository(target, keyring())
    expect((await restored(again, kept.backupId, image.bytes.length, 'other')).equals(image.bytes)).toBe(true)
    // A new one of the same name begins with a new key.
    const { backupId } = await backUp(again, image)
    expect((await restored(again, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })
})

async function unlocked(target: MemoryTarget): Promise<Unlocked> {
  const opened = await unlock(target, keyring())
  if (opened === undefined) throw new Error('Expected a repository')
  return opened
}
