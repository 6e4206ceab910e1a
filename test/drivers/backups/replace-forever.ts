/** A process for tests to kill: replaces one object again and again. */
import { openTarget } from '../../../drivers/backups/registry.ts'

const target = openTarget({ driver: 'directory', path: process.argv[2] ?? '' })
await target.putIfAbsent('state', Buffer.from('start'))
for (let turn = 0; ; turn += 1) {
  const stored = await target.get('state')
  await target.replace('state', Buffer.alloc(8 * 1024 * 1024, turn), stored?.version ?? '')
  console.log(turn)
}
