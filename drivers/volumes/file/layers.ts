/**
 * A volume or snapshot is a directory that holds its whole chain of layers: `0.raw` at the base, then `1.qcow2`, `2.qcow2`, …, the
 * newest last. Directories share a layer by hard links, so the file system's own link count says how many need it, and that count
 * cannot drift: a layer with one link belongs to this directory alone and may be written, one with more is frozen.
 * A layer has the same name in every directory, so the relative backing names in the qcow2 headers are right everywhere (until a
 * merge takes the layer below away: then a number is missing). They are there for people with rescue tools; we open every layer by
 * its explicit path and format.
 */
import { constants } from 'node:fs'
import { copyFile, link, open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Blockdev } from '../../../block-io/device.ts'
import { runProcess } from '../../../block-io/process.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { ifPresent, syncPath } from './durable.ts'

const LAYER_NAME = /^(\d+)\.(raw|qcow2)$/
/** Of the virtual size in a qcow2 header: 8 bytes, big-endian. */
const QCOW2_SIZE_OFFSET = 24

export interface Layer {
  readonly path: string
  readonly depth: number
  readonly format: 'raw' | 'qcow2'
}

/** Base first. */
export type Layers = readonly [Layer, ...Layer[]]

export interface Chain {
  readonly layers: Layers
  readonly top: Layer
  readonly sizeBytes: number
  /** Another directory needs the top layer too: it must not be written. */
  readonly frozen: boolean
}

/** The layers in a directory; undefined when there is no such directory. */
export async function readChain(directory: string): Promise<Chain | undefined> {
  const names = await ifPresent(readdir(directory))
  if (names === undefined) return undefined
  const layers = names.flatMap((name) => parseLayer(directory, name)).toSorted((a, b) => a.depth - b.depth)
  const [base, ...above] = layers
  if (base?.format !== 'raw' || above.some(({ format }) => format === 'raw')) {
    const found = names.join(', ') || 'nothing'
    throw new DriverError(
      'corrupt',
      `Expected ${basename(directory)} to hold 0.raw and qcow2 layers over it, got ${found}`,
    )
  }
  const top = above.at(-1) ?? base
  const { nlink } = await stat(top.path)
  return { layers: [base, ...above], top, sizeBytes: await sizeOfLayer(top), frozen: nlink > 1 }
}

function parseLayer(directory: string, name: string): Layer[] {
  const match = LAYER_NAME.exec(name)
  if (match === null) return []
  return [
    { path: join(directory, name), depth: Number(match[1]), format: match[2] === 'raw' ? 'raw' : 'qcow2' },
  ]
}

/** What it shows to whoever opens it. */
export async function sizeOfLayer({ path, format }: Layer): Promise<number> {
  if (format === 'raw') return (await stat(path)).size
  await using handle = await open(path, 'r')
  const bytes = Buffer.alloc(8)
  await handle.read(bytes, 0, bytes.length, QCOW2_SIZE_OFFSET)
  return Number(bytes.readBigUInt64BE())
}

/**
 * Puts the chain into another directory: the same files under a second name, or, with `reflink`, independent copies. The base comes
 * last: a directory that has one is whole.
 */
export async function shareLayers(chain: Chain, directory: string, reflink: boolean): Promise<void> {
  for (const layer of chain.layers.toReversed()) {
    const copy = join(directory, basename(layer.path))
    if (reflink) {
      await copyFile(layer.path, copy, constants.COPYFILE_FICLONE_FORCE)
      await syncPath(copy)
    } else {
      await link(layer.path, copy)
    }
  }
}

/** Makes the next layer over `top` in `directory`: nothing in it yet, `sizeBytes` long. */
export async function createOverlay(directory: string, top: Layer, sizeBytes: number): Promise<string> {
  const path = join(directory, `${top.depth + 1}.qcow2`)
  // -u: the backing file is not opened, so neither its content nor its locks matter.
  const backing = ['-u', '-F', top.format, '-b', basename(top.path)]
  await runProcess('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing, path, `${sizeBytes}`], {
    timeoutMs: LIMITS.stallMs,
  })
  await syncPath(path)
  return path
}

/** What a killed writer had allocated and nothing refers to yet reads the same as before, but takes space: it is given back. */
export async function repairLeaks({ format, path }: Layer): Promise<void> {
  if (format === 'raw') return
  const alone: Blockdev = { driver: 'qcow2', file: { driver: 'file', filename: path }, backing: null }
  const device = `json:${JSON.stringify(alone)}`
  await runProcess('qemu-img', ['check', '-q', '-r', 'leaks', device], { timeoutMs: LIMITS.stallMs })
}

/** The chain as qemu opens it. The upper `writable` layers may be written: none, the top one, or two for a merge. */
export function blockdevOf(layers: Layers, writable: 0 | 1 | 2): Blockdev {
  return stacked(layers, (index) => (index >= layers.length - writable ? WRITABLE : { 'read-only': true }))
}

/** The chain for a guest. Its lower layers are read-only by default and not by order, so that the guest can merge them. */
export function guestBlockdevOf(layers: Layers, nodeName: string): Blockdev {
  const blockdev = stacked(layers, (index) => (index === layers.length - 1 ? WRITABLE : {}))
  return { ...blockdev, 'node-name': nodeName }
}

/** A new, empty layer for a guest: it gets what is below when it is put on top. */
export function overlayBlockdev(path: string, nodeName: string): Blockdev {
  return { ...node({ format: 'qcow2', path }, WRITABLE, undefined), 'node-name': nodeName, backing: null }
}

type NodeOptions = Readonly<Record<string, string | boolean>>
/** With discard=unmap zeroes that are written become holes. Discarded bytes read as zeroes on every layer we make. */
const WRITABLE: NodeOptions = { discard: 'unmap' }

function stacked([base, ...above]: Layers, optionsOf: (index: number) => NodeOptions): Blockdev {
  return above.reduce(
    (backing, layer, index) => node(layer, optionsOf(index + 1), backing),
    node(base, optionsOf(0), undefined),
  )
}

function node(
  { format, path }: Pick<Layer, 'format' | 'path'>,
  options: NodeOptions,
  backing: Blockdev | undefined,
): Blockdev {
  const file = { driver: 'file', filename: path, ...options }
  // A layer without the ones below it: what its header names is not opened.
  const below = backing === undefined ? (format === 'raw' ? {} : { backing: null }) : { backing }
  return { driver: format, ...options, file, ...below }
}
