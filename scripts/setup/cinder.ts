import { unpackedPython } from './unpacked-python.ts'

/** The backup drivers of a real Cinder, to write what we read and to read what we write. */
export const { component: cinder, python: cinderPython } = unpackedPython({
  title: "Cinder's backup drivers",
  packages: ['python3-cinder'],
  name: 'cinder',
  module: 'cinder.backup.chunkeddriver',
})
