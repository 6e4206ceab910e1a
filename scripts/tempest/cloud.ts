import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { MiB } from '../../domain/sizes.ts'
import { KeystoneLogIn } from '../../sdk/keystone.ts'
import type { Installation } from '../demo/installation.ts'

/** Two: some tests bring a volume from one to the other. */
export const BACKENDS = {
  first: { driver: 'file', path: 'volumes/first' },
  second: { driver: 'file', path: 'volumes/second' },
}

/**
 * Gives Tempest what it expects in a cloud: its configuration, and an image for everybody. Users and projects it makes by itself.
 * Resolves to the folder with tempest.conf.
 */
export async function prepareCloud({ apiUrl, dataFolder }: Installation, folder: string): Promise<string> {
  const tempestFolder = join(folder, 'tempest')
  await mkdir(tempestFolder)
  const clouds = parse(await readFile(join(dataFolder, 'clouds.yaml'), 'utf8')) as Clouds
  const { username, password, project_name: projectName } = clouds.clouds.volflow.auth
  const authUrl = `${apiUrl}/identity/v3`
  const userDomainName = 'Default'
  const login = {
    authUrl,
    username,
    password,
    userDomainName,
    projectName,
    projectDomainName: userDomainName,
  }
  const sections = {
    DEFAULT: { log_dir: tempestFolder, log_file: 'tempest.log' },
    oslo_concurrency: { lock_path: join(tempestFolder, 'locks') },
    auth: { admin_username: username, admin_password: password, admin_project_name: projectName },
    identity: { uri_v3: authUrl, v3_endpoint_type: 'publicURL' },
    service_available: { nova: false, neutron: false, swift: false, horizon: false },
    compute: { image_ref: await publicImage(apiUrl, login) },
    // It uploads random bytes and calls them what is listed here; we look into what is uploaded.
    image: { disk_formats: 'raw', container_formats: 'bare' },
    'image-feature-enabled': { import_image: true, os_glance_reserved: true },
    volume: {
      min_microversion: '3.0',
      max_microversion: 'latest',
      backend_names: Object.keys(BACKENDS).join(','),
      vendor_name: 'volflow',
      storage_protocol: 'file',
    },
    'volume-feature-enabled': { multi_backend: true, volume_revert: true },
  }
  const text = Object.entries(sections).map(([name, options]) =>
    [`[${name}]`, ...Object.entries(options).map(([option, value]) => `${option} = ${value}`), ''].join('\n'),
  )
  await writeFile(join(tempestFolder, 'tempest.conf'), text.join('\n'), { mode: 0o600 })
  return tempestFolder
}

interface Clouds {
  readonly clouds: {
    readonly volflow: { readonly auth: { username: string; password: string; project_name: string } }
  }
}

async function publicImage(
  apiUrl: string,
  login: ConstructorParameters<typeof KeystoneLogIn>[0],
): Promise<string> {
  const headers = { 'x-auth-token': await new KeystoneLogIn(login).token() }
  const ask = async (method: string, path: string, type: string, body: string | Uint8Array<ArrayBuffer>) => {
    const answer = await fetch(`${apiUrl}/image/v2/images${path}`, {
      method,
      headers: { ...headers, 'content-type': type },
      body,
    })
    if (!answer.ok) throw new Error(`Expected an image, got ${answer.status} ${await answer.text()}`)
    return answer
  }
  const image = { name: 'tempest', disk_format: 'raw', container_format: 'bare', visibility: 'public' }
  const { id } = (await (await ask('POST', '', 'application/json', JSON.stringify(image))).json()) as {
    id: string
  }
  await ask('PUT', `/${id}/file`, 'application/octet-stream', new Uint8Array(MiB).fill(1))
  return id
}
