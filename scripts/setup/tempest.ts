import { unpackedPython } from './unpacked-python.ts'

/** OpenStack's own integration tests, and Cinder's further ones. */
export const { component: tempest, python: tempestPython } = unpackedPython({
  title: 'Tempest',
  packages: ['python3-tempest', 'cinder-tempest-plugin'],
  name: 'tempest',
  module: 'cinder_tempest_plugin.plugin',
})
