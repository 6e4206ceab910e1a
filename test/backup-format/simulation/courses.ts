/**
 * Of events. `damaged`: in each of them something is lost or altered. `discarding`: writers mostly give chunks back, so that pages are new whose
 * chunks are not.
 */
export const COURSES = ['all', 'damaged', 'discarding'] as const

export type Courses = (typeof COURSES)[number]
