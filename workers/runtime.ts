import { DefaultLogger, Runtime } from '@temporalio/worker'
import type { Logger } from './logger.ts'

/** Temporal's own log goes where ours goes. Once per process: the SDK refuses a second time. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    // Our own handlers drain the workers, so that children and loops stop with them.
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      logger[level === 'ERROR' ? 'error' : 'warn']({ ...meta }, message)
    }),
  })
}
