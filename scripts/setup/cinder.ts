import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { aptGet } from './apt.ts'
import { runInstaller } from './command.ts'
import type { Component } from './component.ts'
import { CACHE_FOLDER, locate } from './locate.ts'
import { withStagingFolder } from './staging.ts'

const PACKAGE = 'python3-cinder'
const FOLDER = join(CACHE_FOLDER, 'cinder')
const PACKAGES_FOLDER = join('usr', 'lib', 'python3', 'dist-packages')

/** Debian's Python, which its packages are built for, and the environment in which it finds Cinder. */
export const cinderPython = {
  command: '/usr/bin/python3',
  env: { PYTHONPATH: join(FOLDER, PACKAGES_FOLDER) },
}

/**
 * The backup drivers of a real Cinder, to write what we read and to read what we write. Debian's packages are unpacked and not
 * installed: installing them would bring system users, udev and iSCSI services, and change systemd, to run one Python class.
 */
export const cinder: Component = {
  title: "Cinder's backup drivers",
  remedy: `apt-get download ${PACKAGE} and what it needs, and unpack them with dpkg-deb -x into ${FOLDER}`,
  isPresent: () => existsSync(join(cinderPython.env.PYTHONPATH, 'cinder', 'backup', 'chunkeddriver.py')),
  install: async () => {
    if (locate('apt-get') === undefined) throw new Error('this machine has no apt-get')
    await withStagingFolder(unpack).catch(async () => {
      await aptGet(['update'])
      await withStagingFolder(unpack)
    })
  },
}

async function unpack(folder: string): Promise<void> {
  const root = join(folder, 'root')
  // apt-get download writes into its working directory.
  const download = ['--chdir', folder, 'apt-get', '--quiet', 'download', ...(await packages())]
  await runInstaller('env', download)
  for (const file of await readdir(folder))
    if (file.endsWith('.deb')) await runInstaller('dpkg-deb', ['--extract', join(folder, file), root])
  // Nobody reads the manuals, and they are most of the files.
  await rm(join(root, 'usr', 'share'), { recursive: true, force: true })
  await runInstaller(cinderPython.command, ['-c', 'import cinder.backup.drivers.s3'], {
    PYTHONPATH: join(root, PACKAGES_FOLDER),
  })
  if (!cinder.isPresent()) await rename(root, FOLDER)
}

/** It and what it needs, installed here or not, without what is no Python package: its code is imported, not run as a service. */
async function packages(): Promise<string[]> {
  const nothingInstalled = ['--option', 'Dir::State::status=/dev/null']
  const simulate = ['--simulate', ...nothingInstalled, '--no-install-recommends', 'install', PACKAGE]
  const { stdout } = await runProcess('apt-get', simulate)
  return [...stdout.matchAll(/^Inst (python3-\S+) \(/gm)].flatMap(([, name]) => name ?? [])
}
