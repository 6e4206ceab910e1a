/** What processes of this host leave behind when they are killed. */
import { clearRunFolder, deadRunFolders } from '../../run-folder.ts'
import type { FsckContext } from '../context.ts'
import type { Check, Finding } from '../finding.ts'

export function hostChecks(context: FsckContext): Check[] {
  return [{ name: 'run folders', find: () => findRunFolders(context.config.dataFolder) }]
}

async function* findRunFolders(dataFolder: string): AsyncGenerator<Finding> {
  for (const folder of await deadRunFolders(dataFolder)) {
    yield {
      code: 'leftover-temporary',
      where: 'host',
      what: folder,
      explanation: 'Sockets of a process that is gone.',
      next: 'It is removed.',
      mend: { needs: 'repair', run: () => clearRunFolder(folder) },
    }
  }
}
