import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Compiles the product into dist/, as it is published and put into images; returns the path of the compiled program. */
export async function build(): Promise<string> {
  await execa('npm', ['run', '--silent', 'build'], { cwd: ROOT })
  return fileURLToPath(new URL('../dist/workers/main.js', import.meta.url))
}
