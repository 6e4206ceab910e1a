import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { missingPlatformPackages, type LockFile } from '../../scripts/lock-file.ts'

test('the lock file has the packages of every platform (else run scripts/complete-lock-file.ts)', async () => {
  const lock = JSON.parse(await readFile('package-lock.json', 'utf8')) as LockFile
  expect(Object.keys(missingPlatformPackages(lock))).toEqual([])
})

test('a package of another platform is added with what its name says', () => {
  const lock: LockFile = {
    packages: {
      'node_modules/tool': {
        version: '1.0.0',
        dev: true,
        optionalDependencies: {
          '@tool/linux-x64-gnu': '1.0.0',
          '@tool/linux-arm-musleabihf': '1.0.0',
          fsevents: '2.0.0',
        },
      },
      'node_modules/@tool/linux-x64-gnu': { version: '1.0.0' },
    },
  }
  expect(missingPlatformPackages(lock)).toEqual({
    'node_modules/@tool/linux-arm-musleabihf': {
      version: '1.0.0',
      dev: true,
      optional: true,
      os: ['linux'],
      cpu: ['arm'],
      libc: ['musl'],
    },
  })
})
