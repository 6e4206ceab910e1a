import { aptInstall, aptRemedy } from './apt.ts'
import type { Component } from './component.ts'
import { locate } from './locate.ts'

const PROGRAMS = ['ceph', 'ceph-authtool', 'ceph-mgr', 'ceph-mon', 'ceph-osd', 'monmaptool', 'rados', 'rbd']
const PACKAGES = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph-common', 'qemu-block-extra']

/** A real cluster for tests, demo and benchmarks, which start one of their own: installing it starts nothing. */
export const ceph: Component = {
  title: 'Ceph',
  remedy: aptRemedy(PACKAGES),
  isPresent: () => PROGRAMS.every((program) => locate(program) !== undefined),
  install: () => aptInstall(PACKAGES),
}
