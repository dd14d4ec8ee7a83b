/** Public types of what lines are written to: streams, several of them, transports. */

import type { WorkerOptions } from 'node:worker_threads'
import type { needsMetadataGsym } from './symbols'
import type { Level, LevelWithSilentOrString, Logger } from './types'

// biome-ignore lint/suspicious/noExplicitAny: each transport has options of its own
export type AnyTransportOptions = Record<string, any>

export interface TransportTargetOptions<TransportOptions = AnyTransportOptions> {
  /** Absolute path, file URL or package name of the transport; `'pino/file'` writes to a file or descriptor. */
  target: string
  options?: TransportOptions
  /** Least level sent there, where there are several targets. Default `'info'`. */
  level?: LevelWithSilentOrString
}

export interface TransportBaseOptions<TransportOptions = AnyTransportOptions> {
  options?: TransportOptions
  /** Options of the worker thread; `autoEnd: false` leaves ending it to the program. */
  worker?: WorkerOptions & { autoEnd?: boolean }
}

export interface TransportSingleOptions<TransportOptions = AnyTransportOptions>
  extends TransportBaseOptions<TransportOptions> {
  target: string
}

export interface TransportPipelineOptions<TransportOptions = AnyTransportOptions>
  extends TransportBaseOptions<TransportOptions> {
  pipeline: TransportSingleOptions<TransportOptions>[]
  level?: LevelWithSilentOrString
}

export interface TransportMultiOptions<TransportOptions = AnyTransportOptions>
  extends TransportBaseOptions<TransportOptions> {
  targets: readonly (TransportTargetOptions<TransportOptions> | TransportPipelineOptions<TransportOptions>)[]
  /** Numbers of levels beyond the standard ones. */
  levels?: Record<string, number>
  /** Send a record only to the targets of the highest level that takes it. */
  dedupe?: boolean
}

export interface MultiStreamOptions {
  levels?: Record<string, number>
  dedupe?: boolean
}

/** What lines can be written to. */
export interface DestinationStream {
  write(msg: string): void
}

interface DestinationStreamHasMetadata {
  [needsMetadataGsym]: true
  lastLevel: number
  lastTime: string
  lastMsg: string
  lastObj: object
  lastLogger: Logger
}

export type DestinationStreamWithMetadata = DestinationStream &
  ({ [needsMetadataGsym]?: false } | DestinationStreamHasMetadata)

export interface StreamEntry<TLevel = Level> {
  stream: DestinationStream
  level?: TLevel
}

export interface MultiStreamRes<TOriginLevel = Level> {
  // biome-ignore lint/suspicious/noExplicitAny: as pino declares it; the data goes on to streams unchanged
  write: (data: any) => void
  add: <TLevel = Level>(dest: StreamEntry<TLevel> | DestinationStream) => MultiStreamRes<TOriginLevel & TLevel>
  remove: (id: number) => MultiStreamRes<TOriginLevel>
  flushSync: () => void
  end: () => void
  minLevel: number
  streams: StreamEntry<TOriginLevel>[]
  clone<const TLevel = Level>(level: TLevel): MultiStreamRes<TLevel>
}
