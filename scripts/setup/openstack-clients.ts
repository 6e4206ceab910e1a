import { aptInstall, aptRemedy } from './apt.ts'
import type { Component } from './component.ts'
import { locate } from './locate.ts'

const PROGRAMS = ['openstack', 'cinder', 'glance']
const PACKAGES = ['python3-openstackclient', 'python3-cinderclient', 'python3-glanceclient']

/** The clients that people already have, to see that they understand us. */
export const openstackClients: Component = {
  title: "OpenStack's command-line clients",
  remedy: aptRemedy(PACKAGES),
  isPresent: () => PROGRAMS.every((program) => locate(program) !== undefined),
  install: () => aptInstall(PACKAGES),
}
