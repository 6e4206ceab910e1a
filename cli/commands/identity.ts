import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { IdentityRecord, RecordNoun } from '../../sdk/identity.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { printFields, printResult, printTable } from '../output.ts'
import { type Session, sessionOf } from '../session.ts'
import type { Row } from '../table.ts'

/** Users, projects and roles of our own Keystone, for administrators. */
export function identityCommands(program: Command): void {
  userCommands(program)
  const project = program.commands.find((command) => command.name() === 'project')
  if (project !== undefined) recordCommands(project, 'project')
  roleCommands(program)
}

function userCommands(program: Command): void {
  const user = program.command('user').description('who may use the API')
  recordCommands(user, 'user')
  user
    .command('password')
    .description('give a user another password; all its tokens end')
    .argument('<user>', 'id or name')
    .requiredOption('--password-file <file>', 'holds the password and nothing else; - is standard input')
    .action(async (idOrName: string, { passwordFile }: { passwordFile: string }, command: Command) => {
      const session = sessionOf(command)
      const { id } = await find(session, 'user', idOrName)
      const changed = await session.client.identity.update('user', id, {
        password: readPassword(passwordFile),
      })
      printResult(session, changed, () => `User ${changed.name} has another password`)
    })
}

function recordCommands(parent: Command, noun: 'user' | 'project'): void {
  parent
    .command('list')
    .description(`list ${noun}s`)
    .action(async (_options, command: Command) => {
      const session = sessionOf(command)
      const items = await session.client.identity.list(noun)
      printTable(session, { items, next: null }, ['ID', 'NAME', 'ENABLED'], items.map(row))
    })
  const create = parent
    .command('create')
    .description(noun === 'user' ? 'make a user' : 'make a project, for what belongs together')
    .argument('<name>')
    .option('--description <text>')
  if (noun === 'user')
    create.requiredOption(
      '--password-file <file>',
      'holds the password and nothing else; - is standard input',
    )
  create.action(
    async (
      name: string,
      { description, passwordFile }: { description?: string; passwordFile?: string },
      command: Command,
    ) => {
      const session = sessionOf(command)
      const made = await session.client.identity.create(noun, {
        name,
        ...(description !== undefined && { description }),
        ...(passwordFile !== undefined && { password: readPassword(passwordFile) }),
      })
      printFields(session, made, { id: made.id, name: made.name, description: made.description })
    },
  )
  parent
    .command('delete')
    .description(noun === 'user' ? 'delete a user' : 'delete a project; what it has stored stays')
    .argument(`<${noun}>`, 'id or name')
    .action(async (idOrName: string, _options, command: Command) => {
      const session = sessionOf(command)
      const record = await find(session, noun, idOrName)
      await session.client.identity.delete(noun, record.id)
      printResult(session, record, () => `Deleted ${noun} ${record.name}`)
    })
}

function roleCommands(program: Command): void {
  const role = program.command('role').description('who may do what: admin, member or reader of a project')
  role
    .command('list')
    .description('list who has which role where')
    .action(async (_options, command: Command) => {
      const session = sessionOf(command)
      const items = await session.client.identity.assignments()
      const rows = items.map(({ user, role: { id, name }, scope: { project } }) => ({
        USER: user.name ?? user.id,
        ROLE: name ?? id,
        PROJECT: project === undefined ? '(everywhere)' : (project.name ?? project.id),
      }))
      printTable(session, { items, next: null }, ['USER', 'ROLE', 'PROJECT'], rows)
    })
  for (const [action, about, done] of [
    ['add', 'give a user a role in a project', 'has'],
    ['remove', 'take it away', 'no longer has'],
  ] as const)
    role
      .command(action)
      .description(about)
      .argument('<role>', 'admin, member or reader')
      .requiredOption('--user <user>', 'id or name')
      .requiredOption('--in <project>', 'id or name')
      .action(async (name: string, options: { user: string; in: string }, command: Command) => {
        const session = sessionOf(command)
        const [found, user, project] = [
          await find(session, 'role', name),
          await find(session, 'user', options.user),
          await find(session, 'project', options.in),
        ]
        const grant = { roleId: found.id, userId: user.id, projectId: project.id }
        const { identity } = session.client
        await (action === 'add' ? identity.assign(grant) : identity.unassign(grant))
        printResult(session, grant, () => `${user.name} ${done} the role ${found.name} in ${project.name}`)
      })
}

async function find(session: Session, noun: RecordNoun, idOrName: string): Promise<IdentityRecord> {
  const all = await session.client.identity.list(noun)
  const found = all.find(({ id }) => id === idOrName) ?? all.find(({ name }) => name === idOrName)
  if (found !== undefined) return found
  throw new CliError(
    EXIT.notFound,
    `${noun}NotFound`,
    `There is no ${noun} with the name or id "${idOrName}".`,
  )
}

/** Never on the command line, where others see it. */
function readPassword(file: string): string {
  const password = readFileSync(file === '-' ? 0 : file, 'utf8').replace(/\r?\n$/, '')
  if (password !== '') return password
  throw new CliError(EXIT.usage, 'noPassword', `Expected a password in ${file}, got nothing.`)
}

function row({ id, name, enabled }: IdentityRecord): Row {
  return { ID: id, NAME: name, ENABLED: enabled }
}
