import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { BackupTarget, TargetSpec } from '../../../backup-format/target.ts'
import { openTarget } from '../../../drivers/backups/registry.ts'

const RACERS = 20

/** What every backup target must do. `makeSpec` names an empty place. */
export function describeBackupTarget(name: string, makeSpec: () => Promise<TargetSpec>): void {
  const open = (spec: TargetSpec): BackupTarget => {
    const target = openTarget(spec)
    onTestFinished(() => target.close())
    return target
  }
  const openFresh = async () => open(await makeSpec())

  describe(`the ${name} target`, () => {
    it('returns the bytes that were put, large, small and none, with a version', async () => {
      const target = await openFresh()
      for (const bytes of [randomBytes(4 * 1024 * 1024 + 60), Buffer.from('x'), Buffer.alloc(0)]) {
        const key = `c/${bytes.length}.1`
        expect(await target.putIfAbsent(key, bytes)).toBe('created')
        const stored = await target.get(key)
        expect(stored?.bytes.equals(bytes)).toBe(true)
        expect(stored?.version).toEqual(expect.any(String))
      }
    })

    it('fills the buffer it is given, unless the object is too large for it', async () => {
      const target = await openFresh()
      const bytes = randomBytes(100_000)
      await target.putIfAbsent('c/a', bytes)
      const into = Buffer.allocUnsafeSlow(bytes.length + 1)
      const stored = await target.get('c/a', { into })
      expect(stored?.bytes.equals(bytes)).toBe(true)
      expect(stored?.bytes.buffer).toBe(into.buffer)
      const small = Buffer.alloc(bytes.length - 1)
      expect((await target.get('c/a', { into: small }))?.bytes.equals(bytes)).toBe(true)
      expect(small.equals(Buffer.alloc(small.length))).toBe(true)
      expect(await target.get('d/none', { into })).toBeUndefined()
    })

    it('answers undefined for a missing object', async () => {
      expect(await (await openFresh()).get('d/none')).toBeUndefined()
    })

    it('keeps the first of two objects put under one key', async () => {
      const target = await openFresh()
      expect(await target.putIfAbsent('a/b', Buffer.from('first'))).toBe('created')
      expect(await target.putIfAbsent('a/b', Buffer.from('second'))).toBe('exists')
      expect((await target.get('a/b'))?.bytes.toString()).toBe('first')
    })

    it('lets exactly one of 20 racers put an object', async () => {
      const spec = await makeSpec()
      const targets = [open(spec), open(spec)]
      const results = await Promise.all(
        Array.from({ length: RACERS }, async (_, racer) =>
          targets[racer % 2]?.putIfAbsent('race', Buffer.from(`racer ${racer}`)),
        ),
      )
      expect(results.filter((result) => result === 'created')).toHaveLength(1)
      const winner = results.indexOf('created')
      expect((await targets[0]?.get('race'))?.bytes.toString()).toBe(`racer ${winner}`)
    })

    it('replaces an object only under its current version', async () => {
      const target = await openFresh()
      await target.putIfAbsent('state', Buffer.from('one'))
      const first = await target.get('state')
      const second = await target.replace('state', Buffer.from('two'), first?.version ?? '')
      expect(second).toEqual({ version: (await target.get('state'))?.version })
      expect(await target.replace('state', Buffer.from('three'), first?.version ?? '')).toBe('conflict')
      expect((await target.get('state'))?.bytes.toString()).toBe('two')
    })

    it('answers conflict when the object to replace is gone', async () => {
      const target = await openFresh()
      await target.putIfAbsent('state', Buffer.from('one'))
      const { version } = (await target.get('state')) ?? { version: '' }
      await target.delete('state')
      expect(await target.replace('state', Buffer.from('two'), version)).toBe('conflict')
      expect(await target.get('state')).toBeUndefined()
    })

    it('lets exactly one of 20 racers replace an object', async () => {
      const spec = await makeSpec()
      const targets = [open(spec), open(spec)]
      await targets[0]?.putIfAbsent('state', Buffer.from('start'))
      const { version } = (await targets[0]?.get('state')) ?? { version: '' }
      const results = await Promise.all(
        Array.from({ length: RACERS }, async (_, racer) =>
          targets[racer % 2]?.replace('state', Buffer.from(`racer ${racer}`), version),
        ),
      )
      expect(results.filter((result) => result !== 'conflict')).toHaveLength(1)
      const winner = results.findIndex((result) => result !== 'conflict')
      expect((await targets[0]?.get('state'))?.bytes.toString()).toBe(`racer ${winner}`)
    })

    it('lists every key under a prefix once, across pages, with its size', async () => {
      const target = await openFresh()
      const keys = Array.from({ length: 1100 }, (_, number) => `d/p/c/${number % 16}/${number}.1`)
      for (let start = 0; start < keys.length; start += 50) {
        await Promise.all(
          keys.slice(start, start + 50).map((key) => target.putIfAbsent(key, Buffer.from(key))),
        )
      }
      await target.putIfAbsent('d/pq/c/1', Buffer.from('x'))
      const listed = await all(target, 'd/p/')
      expect(listed.map(({ key }) => key).toSorted()).toEqual(keys.toSorted())
      expect(listed.every(({ key, sizeBytes }) => sizeBytes === key.length)).toBe(true)
      expect((await all(target, 'd/p')).length).toBe(keys.length + 1)
      expect(await all(target, 'd/p/c/1/17.1')).toEqual([{ key: 'd/p/c/1/17.1', sizeBytes: 12 }])
      expect(await all(target, 'elsewhere/')).toEqual([])
    }, 60_000)

    it('deletes many objects at once, missing ones among them, and no other', async () => {
      const target = await openFresh()
      const keys = Array.from({ length: 30 }, (_, number) => `c/${number}.1`)
      for (const key of keys) await target.putIfAbsent(key, Buffer.from(key))
      expect(await target.deleteMany([...keys.slice(5), 'c/none.1'])).toEqual({ locked: [] })
      const left: string[] = []
      for await (const { key } of target.list('c/')) left.push(key)
      expect(left.toSorted()).toEqual(keys.slice(0, 5).toSorted())
    })

    it('deletes an object, and a missing one without complaint', async () => {
      const target = await openFresh()
      await target.putIfAbsent('a/b', Buffer.from('x'))
      await target.delete('a/b')
      await target.delete('a/b')
      expect(await target.get('a/b')).toBeUndefined()
      expect(await all(target, '')).toEqual([])
    })

    it('refuses keys that would leave the target', async () => {
      const target = await openFresh()
      for (const key of ['../a', '/a', 'a/../b', 'a//b', '.tmp/x', 'a/.b', 'A', 'a\0', '', 'a/']) {
        await expect(async () => target.putIfAbsent(key, Buffer.from('x'))).rejects.toMatchObject({
          kind: 'invalid',
        })
        await expect(async () => target.get(key)).rejects.toMatchObject({ kind: 'invalid' })
      }
    })

    it('stops a put whose signal was aborted', async () => {
      const target = await openFresh()
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      await expect(target.putIfAbsent('a', Buffer.from('x'), { signal })).rejects.toBe(reason)
      expect(await target.get('a')).toBeUndefined()
    })
  })
}

async function all(target: BackupTarget, prefix: string): Promise<{ key: string; sizeBytes: number }[]> {
  return Array.fromAsync(target.list(prefix))
}
