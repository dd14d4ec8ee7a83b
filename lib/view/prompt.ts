/** A line that a person types. */

/** So many lines are kept of each kind to choose from. */
const MOST_KEPT = 50
/** Characters of a line. */
const MOST_CHARACTERS = 500

export class Prompt {
  readonly #history: string[]
  #text: string[]
  #at: number
  /** Index in the history; its length: what is typed now. */
  #entry: number

  /** @param history of earlier lines, the last one last: what is accepted is added */
  constructor(
    readonly label: string,
    text: string,
    history: string[]
  ) {
    this.#text = [...text]
    this.#at = this.#text.length
    this.#history = history
    this.#entry = history.length
  }

  get text(): string {
    return this.#text.join('')
  }

  /** What stands before the cursor, and behind it. */
  get parts(): { before: string; behind: string } {
    return { before: this.#text.slice(0, this.#at).join(''), behind: this.#text.slice(this.#at).join('') }
  }

  /** The line is done: it is kept to choose from. */
  accept(): string {
    const { text } = this
    const known = this.#history.indexOf(text)
    if (known >= 0) this.#history.splice(known, 1)
    if (text !== '') this.#history.push(text)
    if (this.#history.length > MOST_KEPT) this.#history.shift()
    return text
  }

  /** A key, as terminal-kit names it. */
  press(key: string, isCharacter: boolean): void {
    if (isCharacter) {
      if (this.#text.length >= MOST_CHARACTERS) return
      this.#text.splice(this.#at, 0, key)
      this.#at++
      return
    }
    switch (key) {
      case 'BACKSPACE':
        if (this.#at > 0) this.#text.splice(--this.#at, 1)
        break
      case 'DELETE':
        this.#text.splice(this.#at, 1)
        break
      case 'LEFT':
        this.#at = Math.max(0, this.#at - 1)
        break
      case 'RIGHT':
        this.#at = Math.min(this.#text.length, this.#at + 1)
        break
      case 'HOME':
      case 'CTRL_A':
        this.#at = 0
        break
      case 'END':
      case 'CTRL_E':
        this.#at = this.#text.length
        break
      case 'CTRL_U':
        this.#text.splice(0, this.#at)
        this.#at = 0
        break
      case 'CTRL_K':
        this.#text.splice(this.#at)
        break
      case 'CTRL_W':
        this.#cutWord()
        break
      case 'UP':
        this.#choose(this.#entry - 1)
        break
      case 'DOWN':
        this.#choose(this.#entry + 1)
        break
    }
  }

  #cutWord(): void {
    let from = this.#at
    while (from > 0 && this.#text[from - 1] === ' ') from--
    while (from > 0 && this.#text[from - 1] !== ' ') from--
    this.#text.splice(from, this.#at - from)
    this.#at = from
  }

  #choose(entry: number): void {
    if (entry < 0 || entry > this.#history.length) return
    this.#entry = entry
    this.#text = [...(this.#history[entry] ?? '')]
    this.#at = this.#text.length
  }
}
