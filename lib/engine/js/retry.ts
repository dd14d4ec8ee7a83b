import { clearTimeout, setTimeout } from '../../timers'

/** Calls after a pause, which doubles until it is reset. */
export class Retry {
  #timer: NodeJS.Timeout | undefined
  #delay: number

  /** @param least, most the pauses, ms */
  constructor(
    private readonly least: number,
    private readonly most: number,
    private readonly call: () => void
  ) {
    this.#delay = least
  }

  get isDue(): boolean {
    return this.#timer !== undefined
  }

  /** Calls once, a pause from now. `awaited`: it keeps the process alive. */
  later(awaited: boolean): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.call()
    }, this.#delay)
    if (!awaited) this.#timer.unref()
    this.#delay = Math.min(2 * this.#delay, this.most)
  }

  /** Calls no more, and pauses shortly the next time. */
  reset(): void {
    this.end()
    this.#delay = this.least
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
