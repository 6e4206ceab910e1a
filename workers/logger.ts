import { pino } from 'pino'

/** JSON lines on standard error: standard output belongs to what the user asked for. */
export function createLogger(process: string) {
  return pino(
    { name: `volflow-${process}`, level: globalThis.process.env.VOLFLOW_LOG_LEVEL ?? 'info' },
    pino.destination(2),
  )
}

export type Logger = ReturnType<typeof createLogger>
