import type { BackupTarget, TargetSpec } from './target.ts'

/**
 * How a worker thread gets its own connection to the target: `targetFactoryUrl` is a module that exports
 * `openTarget(spec: TargetSpec): BackupTarget`. By URL, because this layer knows no driver.
 */
export interface ThreadTarget {
  readonly targetFactoryUrl: string
  readonly targetSpec: TargetSpec
}

interface TargetFactory {
  openTarget(spec: TargetSpec): BackupTarget | Promise<BackupTarget>
}

export async function openThreadTarget({
  targetFactoryUrl,
  targetSpec,
}: ThreadTarget): Promise<BackupTarget> {
  const factory: TargetFactory = await import(targetFactoryUrl)
  return factory.openTarget(targetSpec)
}
