import { readFile, writeFile } from 'node:fs/promises'
import { DOCUMENT, tables } from './document.ts'

const [before = ''] = (await readFile(DOCUMENT, 'utf8')).split('<!-- written by test/')
await writeFile(
  DOCUMENT,
  `${before}<!-- written by test/backup-format/damage/write-document.ts -->\n\n${tables()}`,
)
