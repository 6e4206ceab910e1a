import { readdir, readFile } from 'node:fs/promises'

/** Kills every `rbd` that runs this command on this image. */
export async function killRbd(command: string, image: string): Promise<void> {
  for (const name of await readdir('/proc')) {
    const args = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (args[0] === 'rbd' && args.includes(command) && args.includes(image))
      process.kill(Number(name), 'SIGKILL')
  }
}
