/** Which appenders a record would reach by a configuration, and why not the others. */

import type { Filter } from './filters'
import type { AppenderConfig, Model, Step } from './model'
import { RecordView } from './record-view'

/** A record to be asked about. */
export interface Example {
  readonly logger: string
  readonly level: string | number
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** What becomes of the example at one appender. */
export interface Fate {
  readonly appender: string
  readonly type: string
  /** null: by chance, or by what was logged before. */
  readonly reached: boolean | null
  readonly reason: string
}

export interface Explanation {
  /** The logger's level, and where it is from. */
  readonly level: string
  readonly fates: readonly Fate[]
}

const nameOf = (logger: string): string => (logger === '' ? 'the root logger' : logger)

/** What filters answer: the reason if they deny, '' if they do not, null if it is not certain. */
function denial(filters: readonly Filter[], record: RecordView, whose: string): string | null {
  let isCertain = true
  for (const filter of filters) {
    if (filter.isChance) {
      isCertain = false
      continue
    }
    const verdict = filter(record)
    if (verdict === 'ACCEPT') return isCertain ? '' : null
    if (verdict === 'DENY') return `a ${filter.type} filter of ${whose} denies it`
  }
  return isCertain ? '' : null
}

interface Way {
  readonly record: RecordView
  readonly fates: Map<string, Fate>
}

/** Keeps the best of what is known of an appender: several loggers may refer to it. */
function note({ fates }: Way, { name, type }: AppenderConfig, reached: boolean | null, reason: string): void {
  const before = fates.get(name)
  if (before?.reached === true || (before?.reached === null && reached === false)) return
  fates.set(name, { appender: name, type, reached, reason })
}

function explainStep(way: Way, { logger, refs }: Step, isCertain: boolean): void {
  for (const { appender, level, filters } of refs) {
    const by = `by way of ${nameOf(logger)}`
    const own = `the appender ${appender.name}`
    if (way.record.level < level)
      note(way, appender, false, `below the level of the reference of ${nameOf(logger)} to it`)
    else if (way.record.level < appender.level) note(way, appender, false, `below the level of ${own}`)
    else {
      const answers = [
        denial(filters, way.record, `the reference of ${nameOf(logger)}`),
        denial(appender.filters, way.record, own)
      ]
      const denied = answers.find(answer => answer !== null && answer !== '')
      if (denied !== undefined) note(way, appender, false, denied as string)
      else if (!isCertain || answers.includes(null))
        note(way, appender, null, `${by}, where a filter of rate or chance lets it pass`)
      else note(way, appender, true, by)
    }
  }
}

/** @throws ShardlogError for a level that is none */
export function explain(model: Model, { logger, level, message, fields }: Example): Explanation {
  const record = new RecordView(logger)
  const number = model.levelNumber(level)
  record.setLine(`${JSON.stringify({ level: number, ...fields, msg: message })}\n`, number, null)
  const resolved = model.resolve(logger)
  const way: Way = { record, fates: new Map() }
  const appenders = [...model.appenders.values()]
  let isCertain = true
  let ended = `neither ${nameOf(logger)} nor a logger above it names it, or additivity is off between them`
  if (number < model.levelNumber(resolved.level)) {
    ended = `below the level of the logger, ${resolved.level === 'silent' ? 'off' : resolved.level}`
  } else {
    for (const step of resolved.steps) {
      const denied = denial(step.filters, record, nameOf(step.logger))
      if (denied === null) isCertain = false
      else if (denied !== '') {
        ended = denied
        break
      }
      explainStep(way, step, isCertain)
    }
  }
  for (const appender of appenders) if (!way.fates.has(appender.name)) note(way, appender, false, ended)
  return { level: resolved.level, fates: appenders.map(({ name }) => way.fates.get(name)!) }
}
