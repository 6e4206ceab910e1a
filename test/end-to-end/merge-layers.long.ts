import { test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { chainOfBackups } from './chain-of-backups.ts'
import { Installation } from './installation.ts'

test('forty incremental backups of one volume, one after another: it stays flat, and each has the bytes of its time', async () => {
  await using installation = await Installation.start()
  await chainOfBackups(installation, 41)
  await expectClean(installation.checked())
})
