/** What went wrong while a record was made, as its line tells it. */

/** Key of the text that says what went wrong. */
export const FAILURES_KEY = 'loggingError'
/** Most places that one line names. */
const MOST_PLACES = 5

/** The class of what was thrown, which is code; its text may hold the very value that was to be hidden. */
export function kindOf(thrown: unknown): string {
  try {
    if (typeof thrown !== 'object' || thrown === null) return typeof thrown
    const name: unknown = Object.getPrototypeOf(thrown)?.constructor?.name
    return typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : 'Error'
  } catch {
    // A proxy, or a getter: there is nothing that can be asked of it.
    return 'Error'
  }
}

/** What a thrown value says. */
export function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  } catch {
    return 'an error that cannot be shown'
  }
}

/** Failures of one record: where, and of what kind. */
export class Failures {
  readonly #places: string[] = []
  readonly #withText: boolean
  /** Whether something that failed was made up for, so that the line lacks nothing. */
  mended = false

  /** @param withText whether to tell the text of what was thrown too */
  constructor(withText: boolean) {
    this.#withText = withText
  }

  note(place: string, thrown: unknown): void {
    if (this.#places.length === MOST_PLACES) return
    const kind = `${kindOf(thrown)} in ${place}`
    const said = this.#withText ? `${kind}: ${textOf(thrown)}` : kind
    if (!this.#places.includes(said)) this.#places.push(said)
  }

  /** Calls `make`; what it throws is noted, and `otherwise` returned. */
  guard<Result, Other>(place: string, make: () => Result, otherwise: Other): Result | Other {
    try {
      return make()
    } catch (thrown) {
      this.note(place, thrown)
      return otherwise
    }
  }

  /** The text for the line; undefined if nothing failed. */
  get text(): string | undefined {
    return this.#places.length === 0 ? undefined : this.#places.join(', ')
  }
}
