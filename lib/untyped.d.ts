declare module 'on-exit-leak-free' {
  type Finalizer<T extends object> = (object: T, event: string) => void
  /**
   * Calls `finalizer` when the process exits or has nothing more to do, unless `object` is gone by
   * then.
   */
  export function register<T extends object>(object: T, finalizer: Finalizer<T>): void
  /** As `register`, only for a process that has nothing more to do. */
  export function registerBeforeExit<T extends object>(object: T, finalizer: Finalizer<T>): void
  export function unregister(object: object): void
}
declare module 'quick-format-unescaped' {
  interface FormatOptions {
    stringify?: (value: unknown) => string | undefined
  }
  /** Fills the placeholders of `message` with `args`; what is no string comes back as it is. */
  function format(message: unknown, args: readonly unknown[], options?: FormatOptions): unknown
  export = format
}
