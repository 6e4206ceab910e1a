import { aptInstall, aptRemedy } from './apt.ts'
import type { Component } from './component.ts'
import { locate } from './locate.ts'

const PROGRAMS = ['qemu-img', 'qemu-io', 'qemu-nbd', 'qemu-storage-daemon', 'bwrap', 'prlimit', 'setpriv']
const PACKAGES = ['qemu-utils', 'qemu-block-extra', 'bubblewrap', 'util-linux']

/** What moves bytes, and what confines it. */
export const qemu: Component = {
  title: 'the qemu tools and bubblewrap',
  remedy: aptRemedy(PACKAGES),
  isPresent: () => PROGRAMS.every((program) => locate(program) !== undefined),
  install: () => aptInstall(PACKAGES),
}
