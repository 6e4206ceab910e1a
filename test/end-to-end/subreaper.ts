import { readFile } from 'node:fs/promises'
import { processTree } from './processes.ts'

/**
 * Runs a command and adopts every orphan below it. The kernel adds what a process has written to its parent's account when the
 * parent reaps it; with this at the top nothing is lost, however processes end. (Perl: every Linux has it, and Node has no prctl.)
 */
export const SUBREAPER = [
  'perl',
  '-e',
  `syscall(${process.arch === 'arm64' ? 167 : 157}, 36, 1, 0, 0, 0) == 0 or die 'prctl';
   my $child = fork; if (!$child) { exec @ARGV or die 'exec' }
   for my $name ('INT', 'TERM') { $SIG{$name} = sub { kill $name => $child } }
   my $code = 0;
   while (1) {
     my $pid = wait();
     if ($pid == $child) { $code = $? >> 8 }
     elsif ($pid < 0) { last unless $!{EINTR} }
   }
   exit $code`,
]

/**
 * Bytes that the processes below a subreaper have passed to write(2) and its kin since they started, the ended ones included; the
 * Temporal server left out. Whatever goes to files is counted, as often as it is written; sockets of qemu are not (sendmsg).
 */
export async function bytesWrittenBelow(subreaperPid: number): Promise<number> {
  const tree = await processTree(subreaperPid)
  const counts = await Promise.all(
    tree
      .filter(({ command }) => !command.includes(' server start-dev '))
      .map(async ({ pid }) => Number(/^wchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, 'utf8'))?.[1])),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}
