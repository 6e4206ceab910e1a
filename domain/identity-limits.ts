/** Limits of identity: what is guessed, hashed and kept. */
export const IDENTITY_LIMITS = {
  /** scrypt: 16 MiB and about 0.1 s of a core for each password, as OWASP recommends. Kept with each hash, so that it may grow. */
  scryptCost: 2 ** 14,
  scryptBlockSize: 8,
  scryptParallelization: 5,
  scryptSaltBytes: 16,
  scryptHashBytes: 32,
  /** Passwords hashed at once: each keeps a thread of the pool that also reads files. */
  hashesAtOnce: 2,
  /** Waiting for their turn; further ones are told to come again. */
  hashesWaiting: 200,
  passwordLengthMin: 8,
  /** bcrypt's 72 bytes are no concern of scrypt; this only bounds the work. */
  passwordLengthMax: 1_024,
  generatedPasswordBytes: 24,
  /** Wrong passwords in a row that are free; after each further one the account answers nobody for twice as long. */
  freeGuesses: 5,
  lockFirstMs: 2_000,
  lockMaxMs: 15 * 60_000,
  tokenBytes: 32,
  /** A client that works longer gets a new one by itself. */
  tokenLifeMs: 60 * 60_000,
  /** Of one user at the same time; the oldest makes room. */
  tokensPerUser: 2_000,
  /** Tokens that have expired, removed when one is issued. */
  prunedAtOnce: 100,
  applicationCredentialsPerUser: 500,
  /** So long a Keystone elsewhere is not asked again about a token, and a revoked one still works. */
  validationCacheMs: 60_000,
  validationTimeoutMs: 10_000,
  /** About 200 bytes each. */
  validationsKept: 10_000,
  /** Fernet tokens have about 250 characters, JWS ones about a thousand. */
  foreignTokenLengthMax: 8_192,
  listMax: 1_000,
  nameLengthMax: 255,
  /** Descriptions. */
  textLengthMax: 1_000,
  idLengthMax: 64,
} as const
