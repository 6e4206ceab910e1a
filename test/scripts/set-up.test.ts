import { afterEach, expect, test, vi } from 'vitest'
import type { Component } from '../../scripts/setup/component.ts'
import { setUp } from '../../scripts/setup/set-up.ts'

const impossible: Component = {
  title: 'a flying carpet',
  remedy: 'weave --flying',
  isPresent: () => false,
  install: () => Promise.reject(new Error('no loom\nhere')),
}

const present: Component = {
  title: 'air',
  remedy: '',
  isPresent: () => true,
  install: () => Promise.reject(new Error('it is there already')),
}

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

test('what cannot be had is one line with its reason and the command to run', async () => {
  vi.stubEnv('CI', '')
  const lines = captureLines()
  await setUp([impossible, present])
  expect(lines).toEqual([
    'Installing a flying carpet …',
    'Skipped: a flying carpet (no loom here). Run: weave --flying',
  ])
})

test('in CI a missing component is an error that names it', async () => {
  vi.stubEnv('CI', 'true')
  captureLines()
  await expect(setUp([impossible, present])).rejects.toThrow('missing: a flying carpet')
})

function captureLines(): string[] {
  const lines: string[] = []
  vi.spyOn(console, 'error').mockImplementation((line: string) => void lines.push(line))
  return lines
}
