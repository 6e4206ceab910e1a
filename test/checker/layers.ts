/** The chain of layers in a volume's or snapshot's directory, as docs/file-backend.md describes it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

export interface Chain {
  /** Base first. */
  readonly layers: readonly string[]
  /** For `qemu-img`: every layer by its explicit path, whatever the headers say. */
  readonly device: string
}

/** Throws where the directory is not exactly a chain. */
export async function chainIn(directory: string): Promise<Chain> {
  const names = await readdir(directory)
  const foreign = names.filter((name) => name !== '0.raw' && !/^[1-9]\d*\.qcow2$/.test(name))
  if (foreign.length > 0 || !names.includes('0.raw')) {
    throw new Error(`${directory} should hold 0.raw, 1.qcow2, …, it has ${names.join(', ') || 'nothing'}`)
  }
  const layers = names
    .toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b))
    .map((name) => join(directory, name))
  return { layers, device: `json:${JSON.stringify(node(layers))}` }
}

/** One qcow2 layer for itself. */
export function alone(layer: string): string {
  return `json:${JSON.stringify({ driver: 'qcow2', file: { driver: 'file', filename: layer }, backing: null })}`
}

function node(layers: readonly string[]): unknown {
  const filename = layers.at(-1)
  const file = { driver: 'file', filename }
  if (layers.length === 1) return { driver: 'raw', file }
  return { driver: 'qcow2', file, backing: node(layers.slice(0, -1)) }
}
