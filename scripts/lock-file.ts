interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface LockFile {
  /** By path: `node_modules/NAME`, deeper where versions differ. */
  readonly packages: Readonly<Record<string, LockedPackage>>
}

/** Entries for optional dependencies of one platform that the lock file does not have, by path. */
export function missingPlatformPackages({ packages }: LockFile): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {}
  for (const owner of Object.values(packages)) {
    for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
      const path = `node_modules/${name}`
      const platform = platformOf(name)
      if (packages[path] !== undefined || platform === undefined) continue
      missing[path] = { version, ...(owner.dev === true ? { dev: true } : {}), optional: true, ...platform }
    }
  }
  return missing
}

/** Such packages are named after their platform: `@scope/binding-linux-arm64-musl`. */
function platformOf(name: string): Pick<LockedPackage, 'os' | 'cpu' | 'libc'> | undefined {
  const match =
    /(?<os>android|darwin|freebsd|linux|openharmony|win32)-(?<cpu>arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/.exec(
      name,
    )?.groups
  if (match?.os === undefined || match.cpu === undefined) return undefined
  const libc =
    match.os !== 'linux' || match.abi === undefined
      ? undefined
      : match.abi.startsWith('musl')
        ? 'musl'
        : 'glibc'
  return { os: [match.os], cpu: [match.cpu], ...(libc === undefined ? {} : { libc: [libc] }) }
}
