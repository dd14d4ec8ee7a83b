/** Makes a record into a line; `this` is the logger. */
type Make = (this: never, fields: never, message: unknown, level: number, time: string) => string

declare const seam: {
  /** Makes a line by `make`, and does what an agent has put around that. */
  readonly asJson: Make
  /** The function of the file itself, rewritten or not. */
  readonly own: Make
  make: Make | undefined
}

export = seam
