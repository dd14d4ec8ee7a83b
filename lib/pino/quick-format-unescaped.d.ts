declare module 'quick-format-unescaped' {
  interface FormatOptions {
    stringify?: (value: unknown) => string | undefined
  }
  /** Fills the placeholders of `message` with `args`; what is no string comes back as it is. */
  function format(message: unknown, args: readonly unknown[], options?: FormatOptions): unknown
  export = format
}
