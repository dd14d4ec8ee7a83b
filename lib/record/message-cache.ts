import { type Definition, defineString } from './definition'

const MOST_MESSAGES = 4096
const LONGEST_MESSAGE = 256
/** Look-ups after which the cache considers whether it is of use. */
const TRIAL = 1024

/**
 * Messages that recur, as they are printed with their key. A service's messages are few; messages with something built into them
 * are ever new, and looking them up costs more than it saves: then the cache is left alone for a while.
 */
export class MessageCache {
  readonly #prefix: string
  readonly #quote: (text: string) => string
  readonly #known = new Map<string, Definition>()
  #last = ''
  #lastDefinition: Definition | null = null
  #lookups = 0
  #misses = 0
  #rest = 0

  /**
   * @param prefix the key as it is printed: `,"msg":`
   * @param quote a string as JSON
   */
  constructor(prefix: string, quote: (text: string) => string) {
    this.#prefix = prefix
    this.#quote = quote
  }

  /** Its definition, or null if the message is to be sent along. */
  find(message: string): Definition | null {
    if (message === this.#last) return this.#lastDefinition
    return this.#lookUp(message)
  }

  #lookUp(message: string): Definition | null {
    if (this.#rest > 0) {
      this.#rest--
      return null
    }
    if (message.length > LONGEST_MESSAGE) return null
    const known = this.#known.get(message) ?? this.#add(message)
    if (++this.#lookups >= TRIAL) this.#review()
    this.#last = message
    this.#lastDefinition = known
    return known
  }

  #add(message: string): Definition {
    this.#misses++
    if (this.#known.size >= MOST_MESSAGES) this.#known.clear()
    const definition = defineString(this.#prefix + this.#quote(message))
    this.#known.set(message, definition)
    return definition
  }

  #review(): void {
    if (this.#misses * 2 > this.#lookups) this.#rest = 64 * TRIAL
    this.#lookups = 0
    this.#misses = 0
  }
}
