#!/usr/bin/env node
/** The `volflow` command: the client's commands, and the processes behind them. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createProgram } from '../cli/program.ts'
import { runProgram } from '../cli/run.ts'
import { loadConfig } from '../config/load.ts'
import { identityCommands } from './identity/commands.ts'
import { inspectionCommands } from './inspection-commands.ts'

interface ProcessOptions {
  readonly data: string
  readonly bundle?: string
  readonly prebuild?: boolean
}

const DEFAULT_DATA = process.env.VOLFLOW_DATA ?? join(homedir(), '.local/share/volflow')

/** Modules are loaded when their command runs: the client's commands start in a fraction of the time. */
const PROCESSES: Record<string, { about: string; run: (options: ProcessOptions) => Promise<void> }> = {
  up: {
    about: 'run everything: Temporal with its Web UI, API and workers, over one data folder',
    run: async ({ data }) => (await import('./up.ts')).up(await loadConfig(data)),
  },
  api: {
    about: 'run the HTTP API alone',
    run: async ({ data }) => (await import('./api-server.ts')).runApiServer(await loadConfig(data)),
  },
  'control-worker': {
    about: 'run the workflows alone',
    run: async ({ data, bundle }) =>
      (await import('./control-worker.ts')).runControlWorker(
        await loadConfig(data),
        bundle ?? (await bundlePath(data)),
      ),
  },
  'data-worker': {
    about: 'run the movers of data alone',
    run: async ({ data }) => (await import('./data-worker.ts')).runDataWorker(await loadConfig(data)),
  },
  prepare: {
    about: 'make what is missing: database schema, Temporal namespace and search attributes, S3 buckets',
    run: async ({ data }) => (await import('./prepare.ts')).prepare(await loadConfig(data)),
  },
  health: {
    about: 'ask the process with this configuration whether it can work',
    run: async ({ data }) => {
      const { service, checks } = await (await import('./health.ts')).askHealth(await loadConfig(data))
      process.stdout.write(`${service} is healthy: ${Object.keys(checks).join(', ')}\n`)
    },
  },
  bundle: {
    about: 'build the workflow bundle ahead and print its path',
    run: async ({ data, prebuild }) => void process.stdout.write(`${await bundlePath(data, prebuild)}\n`),
  },
}

async function bundlePath(data: string, prebuild = false): Promise<string> {
  const { ensureWorkflowBundle, prebuildWorkflowBundle } = await import('./bundle.ts')
  return prebuild ? prebuildWorkflowBundle() : ensureWorkflowBundle(join(data, 'cache'))
}

const program = createProgram()
for (const [name, { about, run }] of Object.entries(PROCESSES)) {
  program
    .command(name)
    .description(about)
    .option('--data <folder>', 'data folder, with volflow.yaml if there is one', DEFAULT_DATA)
    .option('--bundle <path>', 'workflow bundle built ahead')
    .option('--prebuild', 'build it beside the program, where every start finds it')
    .action(run)
}
inspectionCommands(program, DEFAULT_DATA)
identityCommands(program, DEFAULT_DATA)
process.exitCode = await runProgram(program, process.argv)
