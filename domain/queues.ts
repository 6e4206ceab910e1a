/** Task queues. Short calls and undo have their own queue, so that they never wait behind hours of copying. */
export const CONTROL_QUEUE = 'control'

export type PlaceType = 'backend' | 'store' | 'target'

export function placeQueue(type: PlaceType, name: string): string {
  return `${type}/${name}`
}

/** Movers of data that touch no backend. */
export function targetDataQueue(target: string): string {
  return `target/${target}/data`
}

/** Movers of data between image stores. */
export function storeDataQueue(store: string): string {
  return `store/${store}/data`
}

export function dataQueue(backend: string): string {
  return `backend/${backend}/data`
}
