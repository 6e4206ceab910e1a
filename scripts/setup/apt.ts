import { runInstallerAsRoot } from './command.ts'
import { locate } from './locate.ts'

/** Refreshes the package lists only when the packages cannot be had from the present ones. */
export async function aptInstall(packages: readonly string[]): Promise<void> {
  if (locate('apt-get') === undefined) throw new Error('this machine has no apt-get')
  const install = ['install', '--yes', '--no-install-recommends', ...packages]
  try {
    await aptGet(install)
  } catch {
    await aptGet(['update'])
    await aptGet(install)
  }
}

export async function aptGet(args: readonly string[]): Promise<void> {
  await runInstallerAsRoot('env', [
    'DEBIAN_FRONTEND=noninteractive',
    // `apt-get update` gives up at once where another one runs; our own runs wait for each other here.
    ...['flock', '/var/cache/apt', 'apt-get', '--quiet', '--option=DPkg::Lock::Timeout=600'],
    ...args,
  ])
}

export function aptRemedy(packages: readonly string[]): string {
  return `sudo apt-get update && sudo apt-get install --no-install-recommends ${packages.join(' ')}`
}
