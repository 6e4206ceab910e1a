/** What linters cannot check about this repository. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const FILE_LINES_MEDIAN_MAX = 80
const FILE_LINES_MAX = 400

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(file))
const ours = files.filter((file) => file.endsWith('.ts') && file !== 'sdk/types.ts')

test('files are short: half of them at most 80 lines, none over 400', () => {
  const lines = ours.map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
  const sorted = lines.map((entry) => entry.lines).toSorted((a, b) => a - b)
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(FILE_LINES_MEDIAN_MAX)
  expect(lines.filter((entry) => entry.lines > FILE_LINES_MAX)).toEqual([])
})

test('every relative link in a document leads to a file or heading of this repository', () => {
  const broken = files.filter((file) => file.endsWith('.md')).flatMap((file) => brokenLinks(file))
  expect(broken).toEqual([])
})

test('no file names a package registry, a mirror or a folder of one machine', () => {
  const forbidden = [
    /registry\.(?:npmjs|yarnpkg)\.\w+/,
    /(?:proxy|sum)\.golang\.org/,
    /deb\.debian\.org|snapshot\.debian\.org|archive\.ubuntu\.com/,
    /(?:files\.)?pythonhosted\.org|pypi\.org/,
    /\bpkg\.dev\b|artifactory/i,
    /(?<![\w.~$}*-])\/(?:root|work|home\/\w+|Users\/\w+)\//,
  ]
  const found = files
    .filter((file) => file !== 'test/scripts/tidy.test.ts')
    .flatMap((file) =>
      read(file)
        .split('\n')
        .map((line, index) => ({ at: `${file}:${index + 1}`, line })),
    )
    .filter(({ line }) => forbidden.some((pattern) => pattern.test(line)))
  expect(found).toEqual([])
})

test('all Temporal packages share one copy of protobufjs', () => {
  // Two copies do not recognise each other's messages, and a history read by one cannot be written by the other.
  const temporal = Object.keys(JSON.parse(read('package.json')).dependencies).filter((name) =>
    name.startsWith('@temporalio/'),
  )
  const copies = temporal.map((name) => protobufjsOf(join('node_modules', name)))
  expect(new Set([...copies, protobufjsOf('node_modules/@temporalio/proto')]).size).toBe(1)
})

test('every driver runs the contract suite of its kind', () => {
  const driverFolders = new Set(
    files.flatMap((file) => /^drivers\/(?:volumes|images|backups)\/[^/]+(?=\/.*\.ts$)/.exec(file)?.[0] ?? []),
  )
  const missing = [...driverFolders].filter((folder) => !hasContractTest(folder))
  expect(missing).toEqual([])
})

test('every workflow has a recorded history that the tests replay', () => {
  const workflows = [...read('workflows/index.ts').matchAll(/ from '\.\/(.+)\.ts'/g)]
  expect(workflows.length).toBeGreaterThan(0)
  const missing = workflows
    .map(([, name]) => `test/histories/${name}/`)
    .filter((folder) => !files.some((file) => file.startsWith(folder)))
  expect(missing).toEqual([])
})

function read(file: string): string {
  return readFileSync(file, 'utf8')
}

function brokenLinks(file: string): string[] {
  const prose = read(file).replaceAll(/```.*?```/gs, '')
  return [...prose.matchAll(/\]\((?<link>[^)\s]+)\)/g)]
    .map((match) => match.groups?.link ?? '')
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path = '', heading] = link.split('#')
      const target = path === '' ? file : join(dirname(file), path)
      if (!existsSync(target)) return true
      return heading !== undefined && target.endsWith('.md') && !headings(target).includes(heading)
    })
    .map((link) => `${file}: ${link}`)
}

/** As code hosts make them: lower case, punctuation dropped, spaces to dashes. */
function headings(file: string): string[] {
  return [...read(file).matchAll(/^#+ (?<title>.*)$/gm)].map((match) =>
    (match.groups?.title ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  )
}

function protobufjsOf(packageFolder: string): string {
  return createRequire(join(process.cwd(), packageFolder, 'package.json')).resolve('protobufjs')
}

/** drivers/volumes/file is tested by test/drivers/volumes/file*.test.ts or test/drivers/volumes/file/*.test.ts. */
function hasContractTest(folder: string): boolean {
  return files.some(
    (file) =>
      file.startsWith(`test/${folder}`) &&
      file.endsWith('.test.ts') &&
      /from '.*contract.*'/.test(read(file)),
  )
}

/** A workflow file exports a function of its own name: create-backup.ts has createBackup. */
