import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
const NUMBERS = [10, 20, 30, 40, 50, 60]
const NAMES = ['', 'a', 'a.b', 'a.b.c', 'd', 'd.e']
const LAYOUTS = ['JSON', 'JSON', { type: 'Pattern', pattern: '{"n":%X{n}}%n' }, 'ECS']

/** Numbers below `limit`, the same for the same seed. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return limit => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

interface FilterOptions {
  type: 'Threshold' | 'LevelRange' | 'Field'
  level?: string
  minLevel?: string
  maxLevel?: string
  field?: string
  values?: string[]
  onMatch: string
  onMismatch: string
}

interface Holder {
  level?: string
  filters?: FilterOptions[]
}

interface Ref extends Holder {
  ref: string
}

interface LoggerOptions extends Holder {
  appenders?: Ref[]
  additivity?: boolean
}

interface Logged {
  n: number
  name: string
  level: number
  kind: string
}

const VERDICTS = ['ACCEPT', 'NEUTRAL', 'DENY']

function anyFilter(pick: (limit: number) => number): FilterOptions {
  const verdicts = { onMatch: VERDICTS[pick(3)]!, onMismatch: VERDICTS[pick(3)]! }
  const low = pick(6)
  switch (pick(3)) {
    case 0:
      return { type: 'Threshold', level: LEVELS[low], ...verdicts }
    case 1:
      return { type: 'LevelRange', minLevel: LEVELS[low], maxLevel: LEVELS[low + pick(6 - low)], ...verdicts }
    default:
      return { type: 'Field', field: 'kind', values: ['x', 'y'].slice(pick(2)), ...verdicts }
  }
}

function anyHolder(pick: (limit: number) => number): Holder {
  const holder: Holder = {}
  if (pick(3) === 0) holder.level = LEVELS[pick(6)]!
  if (pick(2) === 0) holder.filters = Array.from({ length: 1 + pick(2) }, () => anyFilter(pick))
  return holder
}

// What should happen, told apart from how it is done.

function matches(filter: FilterOptions, record: Logged): boolean {
  const number = (level: string | undefined): number => NUMBERS[LEVELS.indexOf(level as 'info')]!
  if (filter.type === 'Threshold') return record.level >= number(filter.level)
  if (filter.type === 'Field') return filter.values!.includes(record.kind)
  return record.level >= number(filter.minLevel) && record.level <= number(filter.maxLevel)
}

function lets({ level, filters = [] }: Holder, record: Logged): boolean {
  if (level !== undefined && record.level < NUMBERS[LEVELS.indexOf(level as 'info')]!) return false
  for (const filter of filters) {
    const verdict = matches(filter, record) ? filter.onMatch : filter.onMismatch
    if (verdict !== 'NEUTRAL') return verdict === 'ACCEPT'
  }
  return true
}

function expected(
  loggers: Record<string, LoggerOptions>,
  appenders: Record<string, Holder>,
  record: Logged
): Set<string> {
  const chain = [record.name]
  while (chain.at(-1) !== '') chain.push(chain.at(-1)!.split('.').slice(0, -1).join('.'))
  const present = chain.map(name => loggers[name === '' ? 'root' : name]).filter(logger => logger !== undefined)
  const level = present.find(logger => logger.level !== undefined)?.level ?? 'info'
  const reached = new Set<string>()
  if (record.level < NUMBERS[LEVELS.indexOf(level as 'info')]!) return reached
  for (const logger of present) {
    if (!lets({ filters: logger.filters ?? [] }, record)) break
    for (const ref of logger.appenders ?? []) {
      if (lets(ref, record) && lets(appenders[ref.ref]!, record)) reached.add(ref.ref)
    }
    if (logger.additivity === false) break
  }
  return reached
}

interface Trial {
  loggers: Record<string, LoggerOptions>
  appenders: Record<string, Holder & { type: string; layout: unknown }>
}

function anyTrial(pick: (limit: number) => number, folder: string): Trial {
  const names = ['one', 'two', 'three', 'four'].slice(0, 1 + pick(4))
  const appenders = Object.fromEntries(
    names.map(name => {
      const fileName = path.join(folder, `${name}.log`)
      const kind = { type: 'File', fileName, engine: pick(4) === 0 ? 'js' : 'auto', bufferSize: 1 << 18 }
      return [name, { ...kind, layout: LAYOUTS[pick(LAYOUTS.length)], ...anyHolder(pick) }]
    })
  )
  const loggers: Record<string, LoggerOptions> = {}
  for (const name of ['root', ...NAMES.slice(1)]) {
    if (name !== 'root' && pick(2) === 0) continue
    const refs = names.filter(() => pick(2) === 0).map(ref => ({ ref, ...anyHolder(pick) }))
    loggers[name] = { ...anyHolder(pick), appenders: refs, additivity: pick(4) > 0 }
  }
  return { loggers, appenders }
}

const numbersIn = (file: string): number[] =>
  fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => (JSON.parse(line) as { n: number }).n)

describe('every record that a logger accepts', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'reaches every appender that should have it, and no other (%i)',
    async seed => {
      const pick = random(seed)
      const folder = tempDir()
      const first = anyTrial(pick, folder)
      const logging = shardlog.configure(first)
      onTestFinished(() => logging.close().catch(() => undefined))
      const wanted = new Map<string, number[]>()
      let trial = first
      for (let n = 0; n < 400; n++) {
        if (n === 200) {
          // A reload in the middle: other loggers and levels, the same appenders.
          trial = { ...anyTrial(pick, folder), appenders: first.appenders }
          const known = new Set(Object.keys(first.appenders))
          for (const logger of Object.values(trial.loggers)) {
            logger.appenders = logger.appenders!.filter(({ ref }) => known.has(ref))
          }
          logging.reload(trial)
        }
        const record = {
          n,
          name: NAMES[pick(NAMES.length)]!,
          level: NUMBERS[pick(6)]!,
          kind: ['x', 'y', 'z'][pick(3)]!
        }
        const log = logging.getLogger(record.name)
        const target = pick(3) === 0 ? log.child({ kind: record.kind }) : log
        const fields = target === log ? { n, kind: record.kind } : { n }
        target[LEVELS[NUMBERS.indexOf(record.level)]!](fields, 'a message')
        for (const name of expected(trial.loggers, trial.appenders, record)) {
          wanted.set(name, [...(wanted.get(name) ?? []), n])
        }
      }
      await logging.close()
      for (const name of Object.keys(first.appenders)) {
        expect([name, numbersIn(path.join(folder, `${name}.log`))]).toEqual([name, wanted.get(name) ?? []])
      }
    }
  )
})

describe('what is asked of a record', () => {
  it('is asked once, however many appenders take it', async () => {
    const folder = tempDir()
    const file = (name: string): string => path.join(folder, name)
    const logging = shardlog.configure({
      appenders: {
        a: { type: 'File', fileName: file('a') },
        b: { type: 'File', fileName: file('b'), engine: 'js' },
        c: { type: 'File', fileName: file('c'), layout: 'Logfmt' },
        d: { type: 'File', fileName: file('d'), layout: { type: 'Pattern', pattern: '%X{o.n} %m' } }
      }
    })
    let asked = 0
    const o = { toJSON: () => ({ n: ++asked }) }
    logging.getLogger('x').info({ o }, 'm')
    await logging.close()
    expect(asked).toBe(1)
    expect(fs.readFileSync(file('d'), 'utf8')).toBe('1 m\n')
    for (const name of ['a', 'b', 'c']) expect(fs.readFileSync(file(name), 'utf8')).toMatch(/n"?[:=]1/)
  })

  it('has its level where only its text will do', async () => {
    const folder = tempDir()
    const file = (name: string): string => path.join(folder, name)
    const logging = shardlog.configure({
      appenders: {
        all: { type: 'File', fileName: file('all') },
        warn: { type: 'File', fileName: file('warn'), level: 'warn' },
        some: { type: 'File', fileName: file('some'), layout: 'Message', filters: { type: 'Field', field: 'p.a' } }
      }
    })
    const formatters = { level: (label: string) => ({ severity: label }) }
    const log = logging.getLogger('x', { nestedKey: 'p', formatters })
    log.info({ a: 1 }, 'one')
    log.warn('two')
    await logging.close()
    const messages = (name: string): string[] => fs.readFileSync(file(name), 'utf8').match(/one|two/g) ?? []
    expect([messages('all'), messages('warn'), messages('some')]).toEqual([['one', 'two'], ['two'], ['one']])
  })

  it('may log itself, or throw', async () => {
    const folder = tempDir()
    const file = path.join(folder, 'app.log')
    const logging = shardlog.configure({ appenders: { f: { type: 'File', fileName: file, layout: 'Logfmt' } } })
    const log = logging.getLogger('x')
    const inner = {
      get n(): number {
        log.info('from within')
        return 1
      }
    }
    log.info(inner, 'outer')
    const broken = {
      get n(): number {
        throw new Error('no')
      }
    }
    log.info(broken, 'broken')
    log.info('after')
    await logging.close()
    const lines = fs.readFileSync(file, 'utf8').split('\n')
    expect(lines.map(line => /msg=("[^"]*"|\S*)/.exec(line)?.[1])).toEqual([
      '"from within"',
      'outer',
      'broken',
      'after',
      undefined
    ])
    expect(lines[2]).toContain('loggingError')
  })
})
