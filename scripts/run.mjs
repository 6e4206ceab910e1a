#!/usr/bin/env node
/**
 * Runs a task of this repository on a machine that may have nothing but git and Node 20: `node scripts/run.mjs TASK [ARGUMENTS…]`.
 * Installs the npm packages when they are not what package-lock.json says, and runs the task under Node 24, which is one of
 * them. Plain JavaScript without dependencies, because it runs before either exists.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const TASKS = {
  setup: 'scripts/setup.ts',
  test: 'scripts/test.ts',
  demo: 'scripts/demo.ts',
  bench: 'bench/main.ts',
  tempest: 'scripts/tempest.ts',
  simulate: 'test/backup-format/simulation/main.ts',
}
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NODE_24 = join(ROOT, 'node_modules', 'node', 'bin', 'node')

await main(...process.argv.slice(2))

async function main(task, ...args) {
  const script = TASKS[task]
  if (script === undefined)
    fail(`Expected a task (${Object.keys(TASKS).join(', ')}), got ${task ?? 'nothing'}`)
  if (!packagesInstalled()) await installPackages()
  if (!existsSync(NODE_24)) await installNode24()
  process.exitCode = await run(NODE_24, [join(ROOT, script), ...args], [join(ROOT, 'node_modules', '.bin')])
}

/** Every package of the lock file is there in its version; those for other platforms may be absent. */
function packagesInstalled() {
  const wanted = lockedPackages('package-lock.json')
  const present = lockedPackages(join('node_modules', '.package-lock.json'))
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === '') return true
    return present[path] === undefined ? optional || devOptional : present[path].version === version
  })
}

function lockedPackages(file) {
  const path = join(ROOT, file)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).packages : {}
}

async function installPackages() {
  console.error('Installing npm packages (npm ci) …')
  if ((await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])) !== 0)
    fail('The npm packages could not be installed. Run: npm ci')
}

/** npm may be set to run no install scripts; the package `node` fetches its binary in one. */
async function installNode24() {
  console.error('Installing Node 24 (npm rebuild node) …')
  await run('npm', [
    'rebuild',
    'node',
    '--ignore-scripts=false',
    '--dangerously-allow-all-scripts',
    '--loglevel=error',
  ])
  if (!existsSync(NODE_24))
    fail(
      'Node 24 is missing: npm did not run the install script of the package `node`. Run: npm rebuild node',
    )
}

/** Resolves to the exit status. A signal that reaches us alone is passed on; Ctrl-C reaches the whole group, and the child decides. */
async function run(command, args, pathFirst = []) {
  const inherited = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.endsWith('node_modules/.bin'))
  const PATH = [...pathFirst, ...inherited].join(delimiter)
  // As in the services: what runs our block I/O in its own process needs as many threads for it.
  const env = { UV_THREADPOOL_SIZE: '16', ...process.env, PATH }
  const child = spawn(command, args, { cwd: ROOT, env, stdio: 'inherit' })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  child.on('error', (error) => fail(`Expected ${command} to start: ${error.message}`))
  const [code, signal] = await once(child, 'close')
  return code ?? 128 + constants.signals[signal]
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
