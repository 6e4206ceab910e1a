import { locate } from '../../scripts/setup/locate.ts'

export const HAS_POSTGRES = locate('postgres') !== undefined

/** Whether tests run on PostgreSQL instead of SQLite. */
export const ON_POSTGRES = process.env.VOLFLOW_TEST_DATABASE === 'postgres'
