/**
 * The state of a circuit breaker: closed (all goes through), open (nothing does), half-open (a few
 * are tried).
 */

export type CircuitStateName = 'closed' | 'open' | 'half-open'

export interface CircuitLimits {
  /** Failures in a row that open the circuit. */
  failures: number
  /** How long it stays open, in ms. */
  recovery: number
  /** Successes that close it again, and the most that are tried at once. */
  successes: number
}

export class CircuitState {
  name: CircuitStateName = 'closed'
  readonly #limits: CircuitLimits
  readonly #onChange: (name: CircuitStateName) => void
  #failuresInARow = 0
  #lastFailure = Number.NEGATIVE_INFINITY
  #since = 0
  #tried = 0
  #succeeded = 0
  #opened = 0

  constructor(limits: CircuitLimits, onChange: (name: CircuitStateName) => void) {
    this.#limits = limits
    this.#onChange = onChange
  }

  get failuresInARow(): number {
    return this.#failuresInARow
  }

  /** How often it opened. */
  get opened(): number {
    return this.#opened
  }

  /** Whether a write may be made now. Each that may is expected to succeed or fail. */
  admits(): boolean {
    if (this.name === 'closed') return true
    const elapsed = performance.now() - this.#since
    // Also where the trials never ended.
    if (elapsed >= this.#limits.recovery) this.#tryAgain()
    if (this.name === 'open' || this.#tried >= this.#limits.successes) return false
    this.#tried++
    return true
  }

  #tryAgain(): void {
    this.#since = performance.now()
    this.#tried = 0
    if (this.name === 'half-open') return
    this.#succeeded = 0
    this.#change('half-open')
  }

  #change(name: CircuitStateName): void {
    this.name = name
    this.#onChange(name)
  }

  succeed(): void {
    if (this.name === 'open') return
    if (this.name === 'half-open') {
      if (++this.#succeeded < this.#limits.successes) {
        // Its place among those that are tried at once is free.
        if (this.#tried > 0) this.#tried--
        return
      }
      this.#change('closed')
    }
    this.#failuresInARow = 0
  }

  fail(): void {
    const now = performance.now()
    // Streams that never say that a write succeeded would open by failures that have nothing to do
    // with each other.
    if (now - this.#lastFailure > this.#limits.recovery) this.#failuresInARow = 0
    this.#lastFailure = now
    this.#failuresInARow++
    if (this.name === 'open') return
    if (this.name === 'closed' && this.#failuresInARow < this.#limits.failures) return
    this.#since = now
    this.#opened++
    this.#change('open')
  }
}
