import { expect, test } from 'vitest'
import { parseOptions } from '../../scripts/demo/options.ts'

test('without options the demo makes its own image', () => {
  expect(parseOptions([])).toEqual({
    ...{ image: undefined, json: false, keep: false, backend: 'file', running: undefined },
  })
})

test('the format of an image follows from its name unless it is given', () => {
  expect(parseOptions(['--image', 'a.qcow2'])?.image).toEqual({ path: 'a.qcow2', format: 'qcow2' })
  expect(parseOptions(['--image', 'a.img'])?.image).toEqual({ path: 'a.img', format: 'raw' })
  expect(parseOptions(['--image', 'a.img', '--format', 'qcow2'])?.image?.format).toBe('qcow2')
})

test('what cannot be is refused', () => {
  expect(() => parseOptions(['--image', 'a', '--format', 'vmdk'])).toThrow('raw or qcow2, got "vmdk"')
  expect(() => parseOptions(['--format', 'raw'])).toThrow('together with --image')
  expect(() => parseOptions(['--api', 'http://127.0.0.1'])).toThrow('--api and --data together')
  expect(() => parseOptions(['--api', 'localhost', '--data', '/'])).toThrow('http address, got "localhost"')
  expect(() => parseOptions(['--backend', 'lvm'])).toThrow('file or rbd, got "lvm"')
  expect(() => parseOptions(['--imge', 'a'])).toThrow('--imge')
})

test('an installation that runs already is used', () => {
  const { running } = parseOptions(['--api', 'http://127.0.0.1:8780', '--data', '/srv/volflow']) ?? {}
  expect(running).toEqual({ apiUrl: 'http://127.0.0.1:8780', dataFolder: '/srv/volflow' })
})
