import { unpackedPython } from './unpacked-python.ts'

/** A real Keystone, which knows the callers of our API in a test. */
export const { component: keystone, python: keystonePython } = unpackedPython({
  title: 'Keystone',
  packages: ['python3-keystone'],
  name: 'keystone',
  module: 'keystone.server.wsgi',
})
