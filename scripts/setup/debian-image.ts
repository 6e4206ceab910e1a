import { existsSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { aptGet, aptInstall, aptRemedy } from './apt.ts'
import { runInstaller } from './command.ts'
import type { Component } from './component.ts'
import { CACHE_FOLDER, locate } from './locate.ts'
import { withStagingFolder } from './staging.ts'

const PACKAGES = ['debvm', 'mmdebstrap', 'uidmap', 'qemu-system-x86', 'e2fsprogs', 'debian-archive-keyring']
const RELEASE = 'bookworm'
const FOLDER = join(CACHE_FOLDER, 'images', `debian-${RELEASE}`)

/** A raw 1 GiB ext4 file system without boot loader: a machine boots it with its kernel and initrd beside it. */
export const debianImageFiles = {
  diskPath: join(FOLDER, 'vm.ext4'),
  kernelPath: join(FOLDER, 'vmlinuz'),
  initrdPath: join(FOLDER, 'initrd'),
}

/** A real operating system, made of Debian's own packages. */
export const debianImage: Component = {
  title: 'a Debian image',
  remedy: `${aptRemedy(PACKAGES)}, or give the demo an image of your own with --image FILE`,
  isPresent: () =>
    Object.values(debianImageFiles).every(existsSync) && locate('qemu-system-x86_64') !== undefined,
  install: async () => {
    if (process.arch !== 'x64')
      throw new Error(`it is built for amd64 only, and this machine is ${process.arch}`)
    await aptInstall(PACKAGES)
    if (!existsSync(FOLDER)) await withStagingFolder(build)
  },
}

async function build(folder: string): Promise<void> {
  const disk = join(folder, 'vm.ext4')
  const image = join(folder, 'image')
  await mkdir(image)
  const options = ['--include=linux-image-cloud-amd64', ...(await packageSources())]
  await runInstaller('debvm-create', [
    '-o',
    disk,
    '-r',
    RELEASE,
    '-s',
    'packagelists',
    '-z',
    '1G',
    '--',
    ...options,
  ])
  await runInstaller('debugfs', ['-R', `rdump /boot ${folder}`, disk])
  await rename(disk, join(image, 'vm.ext4'))
  for (const file of await readdir(join(folder, 'boot'))) {
    const name = /^(vmlinuz|initrd)\b/.exec(file)?.[0]
    if (name !== undefined) await rename(join(folder, 'boot', file), join(image, name))
  }
  await mkdir(join(FOLDER, '..'), { recursive: true })
  await rename(image, FOLDER)
}

/**
 * The places where this machine itself gets that release of Debian. On another distribution there are none, and debvm uses
 * Debian's public ones.
 */
async function packageSources(): Promise<string[]> {
  const sources = await indexTargets()
  if (sources.length > 0) return sources
  await aptGet(['update'])
  return indexTargets()
}

async function indexTargets(): Promise<string[]> {
  const format = '$(ORIGIN) $(CODENAME) deb $(REPO_URI) $(RELEASE) $(COMPONENT)'
  const { stdout } = await runProcess('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'])
  const debian = new RegExp(`^Debian ${RELEASE}\\S* (deb .* main)$`, 'gm')
  return [...stdout.matchAll(debian)].flatMap(([, source]) => source ?? [])
}
