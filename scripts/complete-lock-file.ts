/**
 * Adds the packages of other platforms to package-lock.json. npm leaves out those that it could not fetch, as from a registry
 * mirror that keeps one platform only; then `npm ci` refuses the lock file everywhere. Run it after `npm install`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { missingPlatformPackages, type LockFile } from './lock-file.ts'

const path = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(path, 'utf8')) as LockFile
const missing = missingPlatformPackages(lock)
const packages = Object.entries({ ...lock.packages, ...missing }).toSorted(([a], [b]) =>
  a.localeCompare(b, 'en'),
)
writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, undefined, 2)}\n`)
console.log(`Added ${Object.keys(missing).length} packages of other platforms`)
