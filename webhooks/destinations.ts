import ipaddr from 'ipaddr.js'
import { RequestError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** What the operator allows besides public addresses over https. */
export interface DestinationPolicy {
  readonly allowHttp: boolean
  /** `10.0.0.0/8`, `fd00::/8`, … */
  readonly allowedNetworks: readonly string[]
}

const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')
/** RFC 6761: the name stands for this machine, whatever a name server says. */
const LOCALHOST = /(?:^|\.)localhost\.?$/

/**
 * Where webhooks may go. Their URLs come from users, and this machine may be able to reach what users may not: the service itself,
 * metadata services, everything on its own network.
 */
export class Destinations {
  readonly #allowHttp: boolean
  readonly #allowedNetworks: readonly [Address, number][]

  constructor({ allowHttp, allowedNetworks }: DestinationPolicy) {
    this.#allowHttp = allowHttp
    this.#allowedNetworks = allowedNetworks.map((network) => ipaddr.parseCIDR(network))
  }

  /** What can be said without asking a name server. Throws RequestError 400 with what was expected. */
  checkUrl(text: string): URL {
    const url = text.length > LIMITS.webhookUrlLengthMax ? null : URL.parse(text)
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw refusal(`Expected an https URL of at most ${LIMITS.webhookUrlLengthMax} characters.`)
    }
    if (url.protocol === 'http:' && !this.#allowHttp) {
      throw refusal('Expected an https URL. For http an operator sets webhooks.allowHttp.')
    }
    if (url.username !== '' || url.password !== '' || url.hash !== '') {
      throw refusal('Expected a URL without user, password and fragment. The signature proves who sends.')
    }
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const address = LOCALHOST.test(host) ? '127.0.0.1' : host
    const range = ipaddr.isValid(address) ? this.forbiddenRangeOf(address) : undefined
    if (range !== undefined)
      throw refusal(`Expected a public address, got one of another kind: ${range}. ${ALLOW}`)
    return url
  }

  /** `private`, `loopback`, …: why nothing may be sent to this IP address. Undefined: it may. */
  forbiddenRangeOf(text: string): string | undefined {
    if (!ipaddr.isValid(text)) return 'unknown'
    const address = ipaddr.parse(text)
    const isAllowed = this.#allowedNetworks.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    )
    if (isAllowed) return undefined
    const range = address.range()
    if (range !== 'unicast') return spoken(range)
    // Whatever else there is in IPv6 is not routed, or was not assigned yet.
    const isGlobal = address.kind() === 'ipv4' || address.match(GLOBAL_UNICAST)
    return isGlobal ? undefined : 'reserved'
  }
}

export const ALLOW = 'For others an operator sets webhooks.allowedNetworks.'

function refusal(message: string): RequestError {
  return new RequestError(400, 'webhookUrlNotAllowed', message)
}

/** `carrierGradeNat` -> `carrier grade nat`. */
function spoken(range: string): string {
  return range.replaceAll(
    /([a-z0-9])([A-Z])/g,
    (_, before: string, letter: string) => `${before} ${letter.toLowerCase()}`,
  )
}
