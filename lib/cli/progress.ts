import { humanBytes } from './human'
import { visibleLine } from './shown-text'

const WIDTH = 30
/** Work shorter than this shows no bar. */
const QUIET_MS = 500
const REDRAW_MS = 100

/** A bar on stderr, for long work on a terminal only. */
export class Progress {
  private readonly begun = Date.now()
  private drawn = 0
  private readonly enabled = process.stderr.isTTY === true

  private readonly label: string

  constructor(label: string) {
    this.label = visibleLine(label)
  }

  update(done: number, total: number): void {
    const now = Date.now()
    if (!this.enabled || now - this.begun < QUIET_MS || now - this.drawn < REDRAW_MS) return
    this.drawn = now
    const share = Number.isFinite(total) && total > 0 ? Math.min(1, done / total) : 0
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.')
    const rate = humanBytes(Math.round((done / (now - this.begun)) * 1000))
    const percent = Number.isFinite(total) ? `${(share * 100).toFixed(0).padStart(3)} %` : humanBytes(done)
    process.stderr.write(`\r\x1b[K${this.label} [${bar}] ${percent}, ${rate}/s`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.drawn > 0) process.stderr.write('\r\x1b[K')
  }
}
