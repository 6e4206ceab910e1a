import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { aptGet } from './apt.ts'
import { runInstaller } from './command.ts'
import type { Component } from './component.ts'
import { CACHE_FOLDER, locate } from './locate.ts'
import { withStagingFolder } from './staging.ts'

const PACKAGES_FOLDER = join('usr', 'lib', 'python3', 'dist-packages')
const PYTHON = '/usr/bin/python3'

interface Unpacked {
  readonly title: string
  /** Of Debian. */
  readonly packages: readonly string[]
  /** Its folder in our cache. */
  readonly name: string
  /** Imported to see that it is complete. */
  readonly module: string
}

/**
 * A service of Debian whose Python code is wanted and nothing else. Its packages are unpacked and not installed: installing them would bring
 * system users and services, and change systemd.
 */
export function unpackedPython({ title, packages: wanted, name, module }: Unpacked) {
  const folder = join(CACHE_FOLDER, name)
  /** Debian's Python, which its packages are built for, and the environment in which it finds them. */
  const python = { command: PYTHON, env: { PYTHONPATH: join(folder, PACKAGES_FOLDER) } }
  const isPresent = () => existsSync(join(python.env.PYTHONPATH, `${module.replaceAll('.', '/')}.py`))
  const unpack = async (staging: string) => {
    const root = join(staging, 'root')
    // apt-get download writes into its working directory.
    const download = ['--chdir', staging, 'apt-get', '--quiet', 'download', ...(await packagesOf(wanted))]
    await runInstaller('env', download)
    for (const file of await readdir(staging))
      if (file.endsWith('.deb')) await runInstaller('dpkg-deb', ['--extract', join(staging, file), root])
    // Nobody reads the manuals, and they are most of the files.
    await rm(join(root, 'usr', 'share'), { recursive: true, force: true })
    await runInstaller(PYTHON, ['-c', `import ${module}`], { PYTHONPATH: join(root, PACKAGES_FOLDER) })
    if (!isPresent()) await rename(root, folder)
  }
  const component: Component = {
    title,
    remedy: `apt-get download ${wanted.join(' ')} and what it needs, and unpack them with dpkg-deb -x into ${folder}`,
    isPresent,
    install: async () => {
      if (locate('apt-get') === undefined) throw new Error('this machine has no apt-get')
      await withStagingFolder(unpack).catch(async () => {
        await aptGet(['update'])
        await withStagingFolder(unpack)
      })
    },
  }
  return { python, component }
}

/** They and what they need, installed here or not, without what is no Python package: their code is imported, not run as a service. */
async function packagesOf(wanted: readonly string[]): Promise<string[]> {
  const nothingInstalled = ['--option', 'Dir::State::status=/dev/null']
  const simulate = ['--simulate', ...nothingInstalled, '--no-install-recommends', 'install', ...wanted]
  const { stdout } = await runProcess('apt-get', simulate)
  const installed = [...stdout.matchAll(/^Inst (\S+) \(/gm)].flatMap(([, name]) => name ?? [])
  return installed.filter((name) => name.startsWith('python3-') || wanted.includes(name))
}
