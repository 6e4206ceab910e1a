import { type Command, Option } from 'commander'
import { formatBytes } from '../../domain/sizes.ts'
import type { ResourceFilter } from '../../sdk/filters.ts'
import type { CreateImageInput, Image } from '../../sdk/types.ts'
import { conclude } from '../follow.ts'
import { pageable } from '../options.ts'
import { printFields, printResult, printTable, say } from '../output.ts'
import { resolve } from '../resolve.ts'
import { type Session, sessionOf } from '../session.ts'
import { commonFields, type Row } from '../table.ts'
import { checkFile, uploadFile } from '../upload.ts'

interface CreateOptions {
  readonly file?: string
  readonly name?: string
  readonly diskFormat: CreateImageInput['diskFormat']
  readonly store?: string
}

export function imageCommands(program: Command): void {
  const image = program.command('image').description('disk images to make volumes from')
  image
    .command('create')
    .description('create an image, and upload its file')
    .option('--file <path>', 'left out: the image waits for `image upload`')
    .addOption(new Option('--disk-format <format>').choices(['qcow2', 'raw']).makeOptionMandatory())
    .option('--name <name>', 'a name, which need not be unique')
    .option('--store <name>', 'where to keep it')
    .action((options: CreateOptions, command: Command) => create(sessionOf(command), options))
  image
    .command('upload')
    .description('upload the file of a queued image')
    .argument('<image>', 'id or name')
    .requiredOption('--file <path>')
    .action(async (idOrName: string, { file }: { file: string }, command: Command) => {
      const session = sessionOf(command)
      await upload(session, await resolve(session, 'image', idOrName), file)
    })
  pageable(image.command('list'))
    .description('list images, newest first')
    .option('--name <name>')
    .option('--status <status>')
    .action(async (filter: ResourceFilter, command: Command) => {
      const session = sessionOf(command)
      const page = await session.client.listImages(filter)
      printTable(
        session,
        page,
        ['ID', 'NAME', 'STATUS', 'FORMAT', 'SIZE', 'DISK', 'CREATED'],
        page.items.map(row),
      )
    })
  image
    .command('show')
    .description('show one image')
    .argument('<image>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const shown = await session.client.showImage(await resolve(session, 'image', idOrName))
      printFields(session, shown, fields(shown))
    })
  image
    .command('copy')
    .description('keep the bytes of an image in another store, too')
    .argument('<image>', 'id or name')
    .requiredOption('--store <name>', 'where to')
    .action(async (idOrName: string, { store }: { store: string }, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'image', idOrName)
      const answer = await session.client.copyImage(id, { store }, session.request)
      await conclude(session, { noun: 'image', operation: answer.operation, answer })
    })
  image
    .command('delete')
    .description('delete an image; volumes made from it stay')
    .argument('<image>', 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const id = await resolve(session, 'image', idOrName)
      const answer = await session.client.deleteImage(id, session.request)
      await conclude(session, { noun: 'image', operation: answer.operation, answer })
    })
}

async function create(session: Session, { file, name, diskFormat, store }: CreateOptions): Promise<void> {
  if (file !== undefined) await checkFile(file)
  const input = {
    diskFormat,
    ...(name === undefined ? {} : { name }),
    ...(store === undefined ? {} : { store }),
  }
  const image = await session.client.createImage(input, session.request)
  // A repeated command finds the image of the first one, which may have its bytes by now.
  if (file !== undefined && image.status === 'queued') await upload(session, image.id, file)
  else printResult(session, { image }, () => `Image ${image.id} is ${image.status}`)
}

async function upload(session: Session, imageId: string, file: string): Promise<void> {
  try {
    const answer = await uploadFile(session, imageId, file)
    const show = () => session.client.showImage(imageId)
    await conclude(session, { noun: 'image', operation: answer.operation, answer, show })
  } catch (error) {
    const image = await session.client.showImage(imageId).catch(() => undefined)
    if (image?.status === 'queued') say(`Try again with: volflow image upload ${imageId} --file ${file}`)
    throw error
  }
}

function row({ id, name, status, diskFormat, sizeBytes, virtualSizeBytes, createdAt }: Image): Row {
  return {
    ID: id,
    NAME: name,
    STATUS: status,
    FORMAT: diskFormat,
    SIZE: sizeBytes === null ? null : formatBytes(sizeBytes),
    DISK: virtualSizeBytes === null ? null : formatBytes(virtualSizeBytes),
    CREATED: createdAt,
  }
}

function fields(image: Image): Row {
  const { diskFormat, store, sizeBytes, virtualSizeBytes, checksum, osHashAlgo, osHashValue } = image
  return {
    ...commonFields(image),
    format: diskFormat,
    store,
    size: sizeBytes === null ? null : `${formatBytes(sizeBytes)} (${sizeBytes} bytes)`,
    disk: virtualSizeBytes === null ? null : `${formatBytes(virtualSizeBytes)} (${virtualSizeBytes} bytes)`,
    md5: checksum,
    ...(osHashAlgo === null ? {} : { [osHashAlgo]: osHashValue }),
  }
}
