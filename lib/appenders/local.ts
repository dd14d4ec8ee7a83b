/** The kinds Console and File. */

import { destination, standardDestination } from '../pino/destination'
import { batchWatch, EngineAppender, fileProperties, openFile, StreamAppender } from './engine-appender'
import type { Appender, AppenderKind, Destination } from './kinds'

const STDERR = 2

function openConsole(target: unknown): StreamAppender {
  if (target !== 'stderr') return new StreamAppender(standardDestination(false) as Destination, { isShared: true })
  return new StreamAppender(destination(STDERR) as Destination)
}

export const consoleKind: AppenderKind = {
  type: 'Console',
  description: 'Standard output, or standard error.',
  schema: {
    properties: {
      target: { enum: ['stdout', 'stderr'], default: 'stdout', description: 'Where lines go.' }
    }
  },
  open: ({ options }) => openConsole(options.target)
}

export const fileKind: AppenderKind = {
  type: 'File',
  description: 'A file that is appended to by the engine: what a call has accepted, a killed process does not lose.',
  schema: {
    properties: {
      ...fileProperties,
      format: { enum: ['ndjson', 'shard'], default: 'ndjson', description: 'Lines, or blocks with checksums.' }
    },
    required: ['fileName']
  },
  open(context): Appender {
    const records = openFile(context, (context.options.format as 'ndjson' | 'shard' | undefined) ?? 'ndjson')
    const watch = batchWatch(context.options, () => appender.flush())
    const appender = new EngineAppender(records, watch)
    return appender
  }
}
