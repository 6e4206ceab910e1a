import { execFileSync } from 'node:child_process'
import { aptInstall, aptRemedy } from './apt.ts'
import type { Component } from './component.ts'

const PACKAGES = ['python3', 'python3-cryptography', 'python3-zstandard']

/** For a reader of our backups that shares nothing with us. Debian's Python has these packages, wherever another one comes first. */
export const pythonReader: Component = {
  title: 'what a reader in Python needs',
  remedy: aptRemedy(PACKAGES),
  isPresent: () => {
    try {
      execFileSync('/usr/bin/python3', ['-c', 'import cryptography, zstandard'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  },
  install: () => aptInstall(PACKAGES),
}
