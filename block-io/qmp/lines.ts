/** Cuts a stream into lines, and throws where one grows too long. */
export class LineSplitter {
  readonly #maxBytes: number
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  *push(received: Uint8Array): Generator<string> {
    let rest = received
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      this.#keep(rest.subarray(0, end))
      rest = rest.subarray(end + 1)
      const line = Buffer.concat(this.#parts).toString('utf8')
      this.#parts = []
      this.#bytes = 0
      yield line
    }
    this.#keep(rest)
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length
    if (this.#bytes > this.#maxBytes) throw new Error(`a line has more than ${this.#maxBytes} bytes`)
    this.#parts.push(part)
  }
}
