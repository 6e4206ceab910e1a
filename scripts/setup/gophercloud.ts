import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Component } from './component.ts'
import { goBuild } from './go.ts'
import { CACHE_BIN, locate } from './locate.ts'

const SOURCES = join(import.meta.dirname, '../../test/gophercloud')

/** The name says what it was built from: clones of this user with other sources have others. */
export const GOPHERCLOUD_PROGRAM = `volflow-gophercloud-${sourcesHash()}`

export const gophercloud: Component = {
  title: 'a program on gophercloud',
  remedy: `go -C ${SOURCES} build -o ${join(CACHE_BIN, GOPHERCLOUD_PROGRAM)} (Go 1.26 is at https://go.dev/dl)`,
  isPresent: () => locate(GOPHERCLOUD_PROGRAM) !== undefined,
  install: () => goBuild(SOURCES, GOPHERCLOUD_PROGRAM),
}

function sourcesHash(): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(SOURCES).toSorted())
    hash.update(`${name}\0`).update(readFileSync(join(SOURCES, name)))
  return hash.digest('hex').slice(0, 16)
}
