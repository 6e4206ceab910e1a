export const TIME = { type: 'string', description: 'ISO 8601, UTC', readOnly: true } as const
export const LINK = { type: 'string', readOnly: true } as const
export const TEXT = { type: ['null', 'string'], maxLength: 255 } as const

interface Schema {
  readonly name: string
  readonly properties: object
}

/** A page of items: with links to the first and the next page. */
export function listSchema(name: string, item: Schema): object {
  return {
    name,
    links: [
      { rel: 'first', href: '{first}' },
      { rel: 'next', href: '{next}' },
      { rel: 'describedby', href: '{schema}' },
    ],
    properties: {
      [name]: { type: 'array', items: item },
      first: { type: 'string' },
      next: { type: 'string' },
      schema: { type: 'string' },
    },
  }
}
