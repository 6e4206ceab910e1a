import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import { DatabaseUnavailableError } from '../../domain/errors.ts'

const derive = promisify<string, Buffer, number, object, Buffer>(scrypt)

/** `scrypt$<cost>$<block size>$<parallelization>$<salt>$<hash>`, both in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const { scryptCost, scryptBlockSize, scryptParallelization, scryptSaltBytes } = IDENTITY_LIMITS
  const salt = randomBytes(scryptSaltBytes)
  const parameters = { cost: scryptCost, blockSize: scryptBlockSize, parallelization: scryptParallelization }
  const hash = await inTurn(() => deriveWith(password, salt, parameters))
  return [
    'scrypt',
    ...Object.values(parameters),
    salt.toString('base64url'),
    hash.toString('base64url'),
  ].join('$')
}

/**
 * Whether it is the password, in a time that says nothing. Without a hash (no such user) the same work is done for nothing. `before` is
 * asked when its turn has come, so that what others have guessed meanwhile counts: false makes it wrong, in the same time.
 */
export async function passwordMatches(
  password: string,
  hash: string | null,
  before: () => Promise<boolean>,
): Promise<boolean> {
  const { parameters, salt, wanted } = parse(hash ?? DECOY)
  return inTurn(async () => {
    const mayTry = await before()
    const found = await deriveWith(password, salt, parameters)
    return timingSafeEqual(found, wanted) && hash !== null && mayTry
  })
}

interface Parameters {
  readonly cost: number
  readonly blockSize: number
  readonly parallelization: number
}

function deriveWith(password: string, salt: Buffer, parameters: Parameters): Promise<Buffer> {
  const maxmem = 256 * parameters.cost * parameters.blockSize
  const normal = password.normalize('NFKC')
  return derive(normal, salt, IDENTITY_LIMITS.scryptHashBytes, { ...parameters, maxmem })
}

const DECOY = `scrypt$${IDENTITY_LIMITS.scryptCost}$${IDENTITY_LIMITS.scryptBlockSize}$${IDENTITY_LIMITS.scryptParallelization}$AAAAAAAAAAAAAAAAAAAAAA$${'A'.repeat(43)}`

function parse(text: string): { parameters: Parameters; salt: Buffer; wanted: Buffer } {
  const [, cost, blockSize, parallelization, salt = '', hash = ''] = text.split('$')
  return {
    parameters: {
      cost: Number(cost),
      blockSize: Number(blockSize),
      parallelization: Number(parallelization),
    },
    salt: Buffer.from(salt, 'base64url'),
    wanted: Buffer.from(hash, 'base64url'),
  }
}

let running = 0
const waiting: (() => void)[] = []

/** A flood of log-ins waits for itself and for nobody else: memory, and the threads that read files, are not filled by it. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= IDENTITY_LIMITS.hashesAtOnce) {
    if (waiting.length >= IDENTITY_LIMITS.hashesWaiting)
      throw new DatabaseUnavailableError(new Error('too many log-ins at once'))
    await new Promise<void>((resolve) => waiting.push(resolve))
  } else running += 1
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }
}
