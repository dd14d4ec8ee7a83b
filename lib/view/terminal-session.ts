/**
 * The terminal while the program has it: another screen, keys one by one; and as it was afterwards.
 */

import { createRequire } from 'node:module'
import { ShardlogError } from '../errors'
import { ownFile } from '../own-place'
import { encode, type Line, type Measure } from './styled'

interface Terminal {
  width: number
  height: number
  grabInput(options: object | false): void
  on(event: 'key', listener: (name: string, matches: string[], data: { isCharacter: boolean }) => void): void
  on(event: 'resize', listener: (width: number, height: number) => void): void
}

interface TerminalKit {
  terminal: Terminal
  createTerminal(options: object): Terminal
  guessTerminal(): { isSSH: boolean }
  stringWidth(text: string): number
}

// Bundlers, which would look for the package when they bundle, do not follow it.
const requireInstalled = createRequire(ownFile)

/** @throws ShardlogError `ERR_SHARDLOG_PACKAGE` if it is not installed */
export function loadTerminalKit(): TerminalKit {
  try {
    return requireInstalled('terminal-kit') as TerminalKit
  } catch (error) {
    const message =
      '--interactive needs the package terminal-kit, which cannot be loaded: ' +
      `${(error as Error).message.split('\n')[0]}. To install it: npm install terminal-kit`
    throw new ShardlogError('ERR_SHARDLOG_PACKAGE', message, { cause: error })
  }
}

/** The terminal for the keys that come from it. */
function terminalOf(kit: TerminalKit): Terminal {
  // It takes these for one of 16 colours, and looks for the nearest to each of 256, which takes
  // longer than all else at the start; the colours here are not its own.
  if (!/^(?:tmux|screen).*256color$/.test(process.env.TERM ?? '')) return kit.terminal
  const { stdin, stdout, stderr } = process
  const { isSSH } = kit.guessTerminal()
  const generic = 'xterm-256color'
  return kit.createTerminal({ stdin, stdout, stderr, generic, isTTY: true, isSSH, processSigwinch: true })
}

const ESC = '\u001b['
/**
 * The other screen, without wrapping: a width that the terminal sees otherwise spoils one line
 * only.
 */
const ENTER = `${ESC}?1049h${ESC}2J${ESC}?7l${ESC}?25l`
const LEAVE = `${ESC}0m${ESC}?7h${ESC}?25h${ESC}?1049l`
/** Signals that end the program. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export interface SessionOptions {
  onKey(name: string, isCharacter: boolean): void
  /** Called when all has to be drawn anew: another size, or the program goes on. */
  onRedraw(): void
  /** Called when the terminal is no longer there. */
  onGone(): void
}

export class TerminalSession {
  readonly measure: Measure
  readonly hasColors: boolean
  readonly isUnicode: boolean
  readonly #terminal: Terminal
  readonly #onRedraw: () => void
  #isOpen = false
  /** What the lines of the screen were drawn from. */
  #drawn: string[] = []

  constructor(kit: TerminalKit, { onKey, onRedraw, onGone }: SessionOptions) {
    this.#terminal = terminalOf(kit)
    this.#onRedraw = onRedraw
    this.measure = text => kit.stringWidth(text)
    this.hasColors = (process.env.NO_COLOR ?? '') === ''
    this.isUnicode = isUnicode()
    this.#terminal.on('key', (name, _, data) => {
      if (this.#isOpen) onKey(name, data.isCharacter)
    })
    for (const event of ['end', 'close', 'error']) process.stdin.on(event, onGone)
    process.stdout.on('error', onGone)
    this.#terminal.on('resize', () => this.redraw())
  }

  /** Columns and rows. */
  get size(): { width: number; height: number } {
    const { columns = 80, rows = 24 } = process.stdout
    return { width: Math.max(1, columns), height: Math.max(1, rows) }
  }

  /** Takes the terminal, and gives it back however the process ends, but for SIGKILL. */
  open(): void {
    this.#enter()
    process.on('exit', this.#leave)
    for (const signal of ENDING) process.on(signal, this.#end)
    process.on('SIGTSTP', this.#suspend)
    process.on('SIGCONT', this.#resume)
  }

  close(): void {
    this.#leave()
    process.off('exit', this.#leave)
    for (const signal of ENDING) process.off(signal, this.#end)
    process.off('SIGTSTP', this.#suspend)
    process.off('SIGCONT', this.#resume)
  }

  /** As Ctrl-Z does, which no shell sees while keys come one by one. */
  suspend(): void {
    // All processes of the job, as the terminal would: a shell waits for the one that it has
    // started.
    process.kill(0, 'SIGTSTP')
  }

  redraw(): void {
    this.#drawn = []
    this.#onRedraw()
  }

  /** Draws the lines that have changed. */
  draw(lines: readonly Line[], cursor: { row: number; column: number } | null): void {
    if (!this.#isOpen) return
    const drawn = lines.map(line => encode(line, this.hasColors))
    let text = `${ESC}?25l`
    for (const [row, line] of drawn.entries()) {
      if (line !== this.#drawn[row]) text += `${ESC}${row + 1};1H${ESC}0m${ESC}2K${line}`
    }
    if (cursor !== null) text += `${ESC}${cursor.row + 1};${cursor.column + 1}H${ESC}?25h`
    this.#drawn = drawn
    process.stdout.write(text)
  }

  #enter(): void {
    this.#isOpen = true
    this.#drawn = []
    this.#terminal.grabInput({})
    process.stdout.write(ENTER)
  }

  readonly #leave = (): void => {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.stdout.write(LEAVE)
    this.#terminal.grabInput(false)
  }

  /** Ends as the signal would have done without us. */
  readonly #end = (signal: NodeJS.Signals): void => {
    this.close()
    process.kill(process.pid, signal)
  }

  readonly #suspend = (): void => {
    this.#leave()
    process.kill(process.pid, 'SIGSTOP')
  }

  readonly #resume = (): void => {
    if (this.#isOpen) return
    this.#enter()
    this.#onRedraw()
  }
}

/** Whether the locale has UTF-8; where it says nothing, as in containers, the terminal has. */
function isUnicode(): boolean {
  const { LC_ALL, LC_CTYPE, LANG, TERM } = process.env
  const locale = LC_ALL || LC_CTYPE || LANG
  if (locale) return /utf-?8/i.test(locale)
  return TERM !== 'linux'
}
