const PERCENT = /(\d+)% complete/g

/** Reads what `rbd` says of its progress. */
export function readPercent(onPercent: (percent: number) => void): (text: string) => void {
  return (text) => {
    const last = text.matchAll(PERCENT).toArray().at(-1)?.[1]
    if (last !== undefined) onPercent(Number(last))
  }
}
