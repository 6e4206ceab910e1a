import { delimiter } from 'node:path'
import type { Component } from './component.ts'
import { searchPath } from './locate.ts'

/**
 * Installs what is missing, and extends PATH so that this process and its children find it. What cannot be had is one line with
 * the command to run, and the caller goes on without it; with CI=true it is an error, so that nothing is skipped unseen.
 */
export async function setUp(components: readonly Component[]): Promise<void> {
  process.env.PATH = searchPath().join(delimiter)
  const missing: string[] = []
  for (const component of components) {
    // One after the other: most of them keep every core busy, or need the package manager's lock.
    if (!component.isPresent() && !(await install(component))) missing.push(component.title)
  }
  if (missing.length > 0 && process.env.CI === 'true')
    throw new Error(`Expected everything to be there with CI=true, missing: ${missing.join(', ')}`)
}

async function install(component: Component): Promise<boolean> {
  console.error(`Installing ${component.title} …`)
  const startMs = Date.now()
  try {
    await component.install()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    console.error(`Skipped: ${component.title} (${oneLine(reason)}). Run: ${component.remedy}`)
    return false
  }
  console.error(`Installed ${component.title} in ${((Date.now() - startMs) / 1000).toFixed(0)} s`)
  return true
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
