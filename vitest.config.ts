import { defineConfig } from 'vitest/config'
import { HAS_POSTGRES, ON_POSTGRES } from './test/support/postgres-wanted.ts'

const LONG = process.env.VOLFLOW_TEST_LONG === '1'
const LONG_TEST_TIMEOUT_MS = 30 * 60_000

const all = {
  test: {
    name: ON_POSTGRES ? 'postgres' : 'sqlite',
    include: [LONG ? 'test/**/*.long.ts' : 'test/**/*.test.ts'],
    exclude: ON_POSTGRES ? [] : ['test/{database,api}/postgres*.test.ts'],
  },
}

/** What is about the database, or one step away from it, runs on both kinds in every run. */
const again = {
  test: {
    name: 'postgres',
    include: ['test/database/**/*.test.ts', 'test/api/**/*.test.ts'],
    env: { VOLFLOW_TEST_DATABASE: 'postgres' },
  },
}

export default defineConfig({
  test: {
    projects: ON_POSTGRES || LONG || !HAS_POSTGRES ? [all] : [all, again],
    globalSetup: 'test/support/global-setup.ts',
    // Processes, not threads: children die with the thread that started them, and the native Temporal module likes to be alone.
    pool: 'forks',
    // One for each of two cores: the servers, clusters and qemu processes that a test starts need them too, and with more at once
    // what a test waits for comes too late.
    maxWorkers: 2,
    testTimeout: LONG ? LONG_TEST_TIMEOUT_MS : 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
})
