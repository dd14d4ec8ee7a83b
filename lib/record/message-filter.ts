const MOST_MESSAGES = 4096
const LONGEST_MESSAGE = 256
/** Look-ups after which the filter considers whether it is of use, and for how many it then is not asked. */
const TRIAL = 1024
const REST = 64 * TRIAL

/**
 * Tells messages that recur, which templates hold, from those with something built into them, which are ever new: looking those up
 * costs more than it saves, so that a thread of them is let through unseen.
 */
export class MessageFilter {
  readonly #known = new Set<string>()
  #lookups = 0
  #misses = 0
  #rest = 0

  /** Whether the message is one that a template should hold. When `isFull`, start over with the templates. */
  recurs(message: string): boolean {
    if (this.#rest > 0) {
      this.#rest--
      return false
    }
    if (message.length > LONGEST_MESSAGE) return false
    this.#lookups++
    if (!this.#known.has(message)) {
      this.#misses++
      this.#known.add(message)
    }
    if (this.#lookups >= TRIAL) this.#review()
    return true
  }

  get isFull(): boolean {
    return this.#known.size >= MOST_MESSAGES
  }

  clear(): void {
    this.#known.clear()
  }

  #review(): void {
    if (this.#misses * 2 > this.#lookups) this.#rest = REST
    this.#lookups = 0
    this.#misses = 0
  }
}
