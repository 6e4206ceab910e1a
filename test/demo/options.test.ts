import { expect, test } from 'vitest'
import { parseOptions } from '../../scripts/demo/options.ts'

test('without options the demo makes its own image', () => {
  expect(parseOptions([])).toEqual({ image: undefined, json: false, keep: false })
})

test('the format of an image follows from its name unless it is given', () => {
  expect(parseOptions(['--image', 'a.qcow2'])?.image).toEqual({ path: 'a.qcow2', format: 'qcow2' })
  expect(parseOptions(['--image', 'a.img'])?.image).toEqual({ path: 'a.img', format: 'raw' })
  expect(parseOptions(['--image', 'a.img', '--format', 'qcow2'])?.image?.format).toBe('qcow2')
})

test('what cannot be is refused', () => {
  expect(() => parseOptions(['--image', 'a', '--format', 'vmdk'])).toThrow('raw or qcow2, got "vmdk"')
  expect(() => parseOptions(['--format', 'raw'])).toThrow('together with --image')
  expect(() => parseOptions(['--imge', 'a'])).toThrow('--imge')
})
