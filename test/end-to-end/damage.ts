/** Ways to damage an installation, each undone when the test is over. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Installation } from './installation.ts'
import { runSql, type Value } from './run-sql.ts'

export class Damage {
  readonly #installation: Installation

  constructor(installation: Installation) {
    this.#installation = installation
  }

  inData(...parts: string[]): string {
    return join(this.#installation.dataFolder, ...parts)
  }

  /** It is gone. */
  async moved(path: string): Promise<void> {
    const away = join(this.#installation.folder, 'away')
    await rename(path, away)
    onTestFinished(() => rename(away, path))
  }

  /** One of its bits has changed. */
  async flipped(path: string): Promise<void> {
    const bytes = await readFile(path)
    onTestFinished(() => writeFile(path, bytes))
    const wrong = Buffer.from(bytes)
    wrong[60] = (wrong[60] ?? 0) ^ 1
    await writeFile(path, wrong)
  }

  /** A column of one row has another value. */
  column(table: string, id: string, name: string, value: Value): void {
    const [before] = this.sql(`select ${name} as value from ${table} where id = ?`, [id])
    const set = (to: Value) => void this.sql(`update ${table} set ${name} = ? where id = ?`, [to, id])
    set(value)
    onTestFinished(() => set(before?.value ?? null))
  }

  /** An artifact that nobody released. */
  artifact(operationId: string, of: Record<'kind' | 'placeType' | 'place' | 'id', string>): void {
    const { kind, placeType, place, id } = of
    const values = [operationId, kind, placeType, place, id]
    this.sql(`insert into artifacts values (?, 0, ?, ?, ?, ?, null, 'result')`, values)
    onTestFinished(() => void this.sql('delete from artifacts'))
  }

  /** The service does nothing until the answer is called, or the test is over. */
  async stopped(service: 'data-worker' | 'control-worker'): Promise<() => void> {
    const pid = await this.#installation.servicePid(service)
    process.kill(pid, 'SIGSTOP')
    const resume = () => void process.kill(pid, 'SIGCONT')
    onTestFinished(resume)
    return resume
  }

  sql(text: string, values: Value[] = []) {
    return runSql(this.#installation, text, values)
  }
}
