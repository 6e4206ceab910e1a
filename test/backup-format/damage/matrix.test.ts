import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { DriverError } from '../../../domain/errors.ts'
import { DAMAGES, type Damage, type Victim } from './damages.ts'
import { DOCUMENT, normalised, tables } from './document.ts'
import { type Cell, MATRIX } from './matrix.ts'
import { type Probe, PROBES, restoreOf } from './probes.ts'
import { type Kind, KINDS, victimsOf } from './victims.ts'
import { makeWorld, type World } from './world.ts'

let world: World
let victims: Record<Kind, Victim>

beforeAll(async () => {
  world = await makeWorld()
  victims = await victimsOf(world)
})

it('without damage nothing is found', async () => {
  expect(await findings(world.objects)).toEqual([])
})

describe.each(KINDS)('of kind %s, an object', (kind) => {
  it.each(Object.keys(DAMAGES) as Damage[])(
    'after "%s" is found where the table says, or does no harm',
    async (damage) => {
      const cell = MATRIX[kind].cells[damage]
      const ways = DAMAGES[damage](victims[kind], world)
      expect(ways.length === 0, 'possible with this kind of object').toBe('impossible' in cell)
      for (const [way, apply] of ways.entries()) {
        const objects = new Map(world.objects)
        apply(objects)
        expect(objects, `way ${way} changes something`).not.toEqual(world.objects)
        expect(await findings(objects), `way ${way}`).toEqual(expected(cell))
        if (expected(cell)[0] === 'open') continue
        await restoreOf(objects, world, 'stranger')
        if (damage !== 'swap') await restoreOf(objects, world, 'neighbour')
      }
    },
  )
})

it('docs/backup-damage.md says the same', async () => {
  expect(normalised(await readFile(DOCUMENT, 'utf8'))).toContain(normalised(tables()))
})

function expected(cell: Cell): readonly Probe[] {
  return 'found' in cell ? cell.found : []
}

/** What does not open needs no further look. */
async function findings(objects: ReadonlyMap<string, Buffer>): Promise<Probe[]> {
  const found: Probe[] = []
  for (const probe of ['open', 'restore', 'backup', 'collect', 'recovery', 'fsck'] satisfies Probe[]) {
    try {
      await PROBES[probe](objects, world)
    } catch (error) {
      expect(error).toBeInstanceOf(DriverError)
      found.push(probe)
    }
    if (found[0] === 'open') return found
  }
  return found
}
