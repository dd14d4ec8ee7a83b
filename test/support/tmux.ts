import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'

export const hasTmux: boolean = spawnSync('tmux', ['-V']).status === 0

const POLL_MS = 50
const WAIT_MS = 40_000

/** A terminal of one's own in which a shell command runs; it ends with the test. */
export class Terminal {
  readonly #server = `shardlog-${randomUUID()}`

  constructor(command: string, width = 80, height = 24, env: Record<string, string> = {}) {
    const { SHELL: _, NO_COLOR: __, ...rest } = process.env
    const size = ['-x', String(width), '-y', String(height)]
    // The pane stays when the command has ended, so that it can be read.
    const args = [
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-s',
      'main',
      ...size,
      `${command}; echo "ended $?"; exec sleep 600`
    ]
    const started = spawnSync('tmux', ['-L', this.#server, ...args], {
      env: { ...rest, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', SHELL: '/bin/sh', ...env },
      encoding: 'utf8'
    })
    onTestFinished(() => {
      this.#tmux('kill-server')
    })
    if (started.status !== 0) throw new Error(started.stderr)
  }

  #tmux(...args: string[]): string {
    return spawnSync('tmux', ['-L', this.#server, ...args], { encoding: 'utf8' }).stdout
  }

  /** Presses keys, by tmux's names for them. */
  press(...keys: string[]): void {
    for (const key of keys) this.#tmux('send-keys', '-t', 'main', key)
  }

  type(text: string): void {
    this.#tmux('send-keys', '-t', 'main', '-l', text)
  }

  resize(width: number, height: number): void {
    this.#tmux('resize-window', '-t', 'main', '-x', String(width), '-y', String(height))
  }

  /** @param withCodes with colours */
  screen(withCodes = false): string {
    return this.#tmux('capture-pane', '-p', '-t', 'main', ...(withCodes ? ['-e'] : []))
  }

  /** Whether the program has the terminal's other screen. */
  get isAlternate(): boolean {
    return this.#tmux('display-message', '-p', '-t', 'main', '#{alternate_on}').trim() === '1'
  }

  /** Waits until the screen is as wanted; returns it. */
  async shows(wanted: RegExp | ((screen: string) => boolean)): Promise<string> {
    const deadline = Date.now() + WAIT_MS
    for (;;) {
      const screen = this.screen()
      if (typeof wanted === 'function' ? wanted(screen) : wanted.test(screen)) return screen
      if (Date.now() > deadline) throw new Error(`not seen: ${String(wanted)}\n${screen}`)
      await new Promise(resolve => setTimeout(resolve, POLL_MS))
    }
  }
}
