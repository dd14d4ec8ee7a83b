/** The types of `log.info` and its like: a message's placeholders say what arguments it takes. */

import type { LogFnFields } from './log-fn-fields'

type PlaceholderSpecifier = 'd' | 's' | 'j' | 'o' | 'O'
type PlaceholderTypeMapping<T extends PlaceholderSpecifier> = T extends 'd'
  ? number
  : T extends 's'
    ? unknown
    : T extends 'j' | 'o' | 'O'
      ? NonNullable<unknown> | null
      : never

/** The arguments that a message's placeholders ask for. */
export type ParseLogFnArgs<T, Acc extends unknown[] = []> = T extends `${infer _}%${infer Placeholder}${infer Rest}`
  ? Placeholder extends PlaceholderSpecifier
    ? ParseLogFnArgs<Rest, [...Acc, PlaceholderTypeMapping<Placeholder>]>
    : ParseLogFnArgs<Rest, Acc>
  : Acc

export interface LogFn {
  /** A message, and what its placeholders ask for. */
  <TMsg extends string = string>(msg: TMsg, ...args: ParseLogFnArgs<TMsg>): void
  /** An object whose fields join the line (or an error), a message, and what its placeholders ask for. */
  <T, TMsg extends string = string>(
    obj: [T] extends [object] ? T & LogFnFields : T,
    msg?: T extends string ? never : TMsg,
    ...args: ParseLogFnArgs<TMsg> | []
  ): void
  <T, TMsg extends string = string>(
    obj: [T] extends [object] ? T & LogFnFields : T,
    msg?: T extends string ? never : TMsg,
    ...args: ParseLogFnArgs<TMsg> extends [unknown, ...unknown[]] ? ParseLogFnArgs<TMsg> : unknown[]
  ): void
}

/** What a call takes besides where `trailingFields` is on: a message, and an object whose fields join the line (pino ignores it). */
export type TrailingFieldsFn = <TMsg extends string = string, TFields extends object = object>(
  msg: TMsg,
  ...args: [...ParseLogFnArgs<TMsg>, TFields & LogFnFields]
) => void
