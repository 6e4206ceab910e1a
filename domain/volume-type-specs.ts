/** Extra specs of a volume type, as Cinder's capabilities filter reads them. */

type Value = string | number | boolean

/** Specs with another scope than `capabilities:` are for others than the scheduler. */
export function meetsSpecs(
  specs: Readonly<Record<string, string>>,
  capabilities: Readonly<Record<string, Value>>,
): boolean {
  return Object.entries(specs).every(([key, wanted]) => {
    const scope = key.split(':')
    if (scope.length > 1 && scope[0] !== 'capabilities') return true
    const name = scope.length > 1 ? scope.slice(1).join(':') : key
    const value = Object.hasOwn(capabilities, name) ? capabilities[name] : undefined
    return value !== undefined && meets(value, wanted)
  })
}

/** `<is> True`, `<in> ssd`, `<or> a <or> b`, `s== x`, `>= 10`, or the value itself. */
function meets(value: Value, wanted: string): boolean {
  const text = String(value)
  const [op = '', ...rest] = wanted.trim().split(/\s+/)
  const operand = rest.join(' ')
  switch (op) {
    case '<is>':
      return text.toLowerCase() === operand.toLowerCase()
    case '<in>':
      return text.includes(operand)
    case '<or>':
      return wanted
        .split('<or>')
        .map((choice) => choice.trim())
        .filter((choice) => choice !== '')
        .includes(text)
    case 's==':
      return text === operand
    case 's!=':
      return text !== operand
    case '=':
    case '>=':
      return Number(value) >= Number(operand)
    case '<=':
      return Number(value) <= Number(operand)
    case '==':
      return Number(value) === Number(operand)
    case '!=':
      return Number(value) !== Number(operand)
    default:
      return text.toLowerCase() === wanted.trim().toLowerCase()
  }
}
