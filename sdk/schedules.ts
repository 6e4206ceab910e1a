import type { HttpRequest, PageFilter, RequestOptions } from './http.ts'
import type {
  CreateScheduleInput,
  PauseScheduleInput,
  Retention,
  RetentionPage,
  Schedule,
  ScheduleAlarm,
  SchedulePage,
  SchedulePruned,
  ScheduleRunPage,
  ScheduleStarted,
  UpdateScheduleInput,
} from './types.ts'

export interface ScheduleFilter extends PageFilter {
  readonly name?: string
}

/** `client.schedules`: backups made again and again. */
export class ScheduleClient {
  readonly #json: <T>(request: HttpRequest) => Promise<T>

  constructor(json: <T>(request: HttpRequest) => Promise<T>) {
    this.#json = json
  }

  create(schedule: CreateScheduleInput, options?: RequestOptions): Promise<Schedule> {
    return this.#json({ method: 'POST', path: '/schedules', json: schedule, ...options })
  }

  list(filter: ScheduleFilter = {}, options?: RequestOptions): Promise<SchedulePage> {
    return this.#json({ method: 'GET', path: '/schedules', query: { ...filter }, ...options })
  }

  show(id: string, options?: RequestOptions): Promise<Schedule> {
    return this.#json({ method: 'GET', path: pathOf(id), ...options })
  }

  update(id: string, change: UpdateScheduleInput, options?: RequestOptions): Promise<Schedule> {
    return this.#json({ method: 'PATCH', path: pathOf(id), json: change, ...options })
  }

  /** Its backups stay. Answers with what it was. */
  delete(id: string, options?: RequestOptions): Promise<Schedule> {
    return this.#json({ method: 'DELETE', path: pathOf(id), ...options })
  }

  pause(id: string, pause: PauseScheduleInput = {}, options?: RequestOptions): Promise<Schedule> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/pause`, json: pause, ...options })
  }

  unpause(id: string, options?: RequestOptions): Promise<Schedule> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/unpause`, json: {}, ...options })
  }

  /** Also while it is paused. Answers with what became of each of its volumes; 409 when no backup could be started. */
  run(id: string, options?: RequestOptions): Promise<ScheduleStarted> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/run`, ...options })
  }

  /** Latest first, with those that did not start, and why. */
  runs(id: string, filter: PageFilter = {}, options?: RequestOptions): Promise<ScheduleRunPage> {
    return this.#json({ method: 'GET', path: `${pathOf(id)}/runs`, query: { ...filter }, ...options })
  }

  /** Of each of its backups: does it stay, and why. With rules these are tried out, and nothing is deleted in any case. */
  retention(
    id: string,
    query: PageFilter & Retention = {},
    options?: RequestOptions,
  ): Promise<RetentionPage> {
    return this.#json({
      method: 'GET',
      path: `${pathOf(id)}/retention`,
      query: { ...query },
      ...options,
    })
  }

  /** Deletes now what no rule keeps. */
  prune(id: string, options?: RequestOptions): Promise<SchedulePruned> {
    return this.#json({ method: 'POST', path: `${pathOf(id)}/prune`, ...options })
  }

  /** Volumes without a good backup for too long. */
  alarms(id: string, options?: RequestOptions): Promise<{ items: ScheduleAlarm[] }> {
    return this.#json({ method: 'GET', path: `${pathOf(id)}/alarms`, ...options })
  }
}

function pathOf(id: string): string {
  return `/schedules/${encodeURIComponent(id)}`
}
