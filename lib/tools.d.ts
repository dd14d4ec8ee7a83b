import type { AsJson } from './pino/diagnostics'

declare const seam: {
  /** Makes a line by `make`, and does what an agent has put around that. */
  readonly asJson: AsJson
  /** The function of the file itself, rewritten or not. */
  readonly own: AsJson
  make: AsJson | undefined
}

export = seam
