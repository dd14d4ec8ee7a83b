// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of configurations
import fs from 'node:fs'
import path from 'node:path'
import Ajv from 'ajv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { dateFormatter } from '../../lib/appenders/date-format'
import { readModel } from '../../lib/appenders/logging'
import { Model } from '../../lib/appenders/model'
import { patternFormatter } from '../../lib/appenders/pattern'
import { RecordView } from '../../lib/appenders/record-view'
import { RollNames } from '../../lib/appenders/roll-names'
import { type ConfigurationError, objectSource, parseSource } from '../../lib/appenders/source'
import fc from '../support/random'
import { packageRoot } from '../support/shardlog'

const RUNS = 500

/** Runs `run`; what it throws has to be an error with a code and a message. */
function expectCoded(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    expect(error).toMatchObject({ name: 'ShardlogError', code: expect.stringMatching(/^ERR_SHARDLOG_/) })
    return false
  }
}

const KEYS = [
  ...['appenders', 'loggers', 'root', 'type', 'fileName', 'file_name', 'filePattern', 'layout', 'pattern', 'level'],
  ...[
    'filters',
    'filter',
    'ref',
    'additivity',
    'batch_size',
    'maxSize',
    'max_age',
    'regex',
    'field',
    'values',
    'a',
    'b.c'
  ],
  ...['__proto__', 'constructor', 'toString', '', 'customLevels', 'onMatch', 'share', 'rate', 'monitorInterval']
]
const VALUES = [
  ...[
    'File',
    'RollingFile',
    'Console',
    'Pattern',
    'JSON',
    'ECS',
    'Threshold',
    'Regex',
    'Field',
    'Rate',
    'info',
    'WARN'
  ],
  ...[
    'x.log',
    'x-%i.log',
    'x-%d{yyyy}.log.gz',
    '%d %p %m%n',
    '%',
    '(((',
    '(a+)+$',
    'a',
    '10MB',
    '30d',
    '__proto__',
    '${HOME}'
  ],
  ...['${', '${A:-${B}}', '$${x}']
]

const anyValue = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom(...VALUES),
    fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string()),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 6 })
  )
})).value

/** A configuration that is right, to be spoilt at one place. */
const RIGHT = {
  appenders: {
    a: {
      type: 'RollingFile',
      fileName: 'x.log',
      filePattern: 'x-%d{yyyy}-%i.log',
      maxSize: '1MB',
      maxAge: '3d',
      level: 'info'
    },
    b: {
      type: 'File',
      file_name: 'y.log',
      layout: { type: 'Pattern', pattern: '%d %p %m%n' },
      filters: [{ type: 'Regex', regex: 'a+' }]
    },
    c: { type: 'Console', layout: 'ECS', filter: { type: 'Threshold', level: 'warn', on_match: 'ACCEPT' } }
  },
  loggers: {
    root: { level: 'info', appenders: ['a', { ref: 'b', level: 30 }] },
    'x.y': { appenders: 'c', additivity: false }
  },
  customLevels: { audit: 35 }
}

const place = (value: unknown, path: readonly number[], put: unknown): unknown => {
  if (typeof value !== 'object' || value === null || path.length === 0) return put
  const keys = Object.keys(value)
  const key = keys[path[0]! % keys.length]!
  const inner = place((value as Record<string, unknown>)[key], path.slice(1), put)
  return Array.isArray(value)
    ? value.map((item, at) => (String(at) === key ? inner : item))
    : { ...value, [key]: inner }
}

interface Edit {
  line: number
  column: number
  kind: string
  text: string
}

function edited(lines: readonly string[], { line, column, kind, text }: Edit): string[] {
  const at = line % lines.length
  const old = lines[at]!
  const put = (...now: string[]): string[] => lines.toSpliced(at, 1, ...now)
  switch (kind) {
    case 'insert':
      return put(old.slice(0, column) + text + old.slice(column))
    case 'delete':
      return put(old.slice(0, column) + old.slice(column + 1 + (text.length % 5)))
    case 'drop line':
      return lines.length === 1 ? [...lines] : put()
    case 'repeat line':
      return put(old, old)
    case 'indent':
      return put(`  ${old}`)
    default:
      return put(old.slice(column) + old.slice(0, column))
  }
}

describe('whatever a configuration is', () => {
  it('made of any values, it is right or refused by an error with a code', () => {
    fc.assert(
      fc.property(anyValue, value => void expectCoded(() => new Model(objectSource(value)))),
      { numRuns: RUNS }
    )
  })

  it('spoilt at one place, too', () => {
    let right = 0
    const spoilt = fc.tuple(fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), anyValue)
    fc.assert(
      fc.property(spoilt, ([path, value]) => {
        if (expectCoded(() => new Model(objectSource(place(RIGHT, path, value))))) right++
      }),
      { numRuns: RUNS }
    )
    expect(right).toBeGreaterThan(0)
    expect(expectCoded(() => new Model(objectSource(RIGHT)))).toBe(true)
  })

  it('any text, too, with a line for each problem', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'appenders:',
        '\n',
        '  ',
        '- ',
        '{',
        '}',
        '[',
        ']',
        ': ',
        '&a ',
        '*a',
        '!!binary ',
        '|',
        '>',
        '"',
        "'",
        '#',
        '\t',
        '<<: ',
        '%',
        '---',
        '...',
        'type: File',
        '\u0000',
        '\uFEFF',
        '? '
      ),
      fc.constantFrom(...KEYS, ...VALUES),
      fc.string()
    )
    const text = fc.array(piece, { maxLength: 40 }).map(pieces => pieces.join(''))
    fc.assert(
      fc.property(text, given => void expectCoded(() => new Model(parseSource('any.yaml', given)))),
      { numRuns: RUNS * 2 }
    )
  })

  it('its text changed at some places, it is right or each problem has its place', () => {
    const lines = stringify(RIGHT).split('\n')
    const edit = fc.record({
      line: fc.nat(lines.length - 1),
      column: fc.nat(40),
      kind: fc.constantFrom('insert', 'delete', 'drop line', 'repeat line', 'indent', 'swap'),
      text: fc.oneof(
        fc.constantFrom(...KEYS, ...VALUES, ': ', '- ', '  ', '{', ']', '"', '\t', '&a ', '*a', '#'),
        fc.string()
      )
    })
    let right = 0
    let wrong = 0
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), edits => {
        const changed = edits.reduce(edited, lines)
        try {
          new Model(parseSource('any.yaml', changed.join('\n')))
          right++
        } catch (error) {
          expect(error).toMatchObject({ name: 'ShardlogError', code: 'ERR_SHARDLOG_CONFIG' })
          const { problems } = error as ConfigurationError
          expect(problems.length).toBeGreaterThan(0)
          const count = changed.join('\n').split(/\r\n|\r|\n/).length
          for (const { path, line } of problems) {
            expect(typeof path).toBe('string')
            expect(line).toBeGreaterThanOrEqual(1)
            expect(line).toBeLessThanOrEqual(count)
          }
          wrong++
        }
      }),
      { numRuns: RUNS * 2 }
    )
    expect(Math.min(right, wrong)).toBeGreaterThan(RUNS / 10)
  })

  it('aliases that grow without end are refused', () => {
    const lines = [
      'a0: &a0 [x, x, x, x, x, x, x, x, x]',
      ...Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}]`)
    ]
    expect(expectCoded(() => new Model(parseSource('bomb.yaml', lines.join('\n'))))).toBe(false)
  })
})

describe('whatever a pattern is', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '%d',
      '%p',
      '%m',
      '%n',
      '%c',
      '%X',
      '%ex',
      '%highlight',
      '%style',
      '%enc',
      '%notEmpty',
      '%',
      '%%',
      '%-5.3p',
      '%i',
      '{',
      '}',
      '{yyyy-MM-dd}',
      '{a}',
      '{1.}',
      "'",
      '\\'
    ),
    fc.string({ maxLength: 5 })
  )
  const text = fc.array(word, { maxLength: 10 }).map(words => words.join(''))
  const view = new RecordView('a.b')
  view.setLine('{"level":30,"msg":"m","a":1}\n', 30, null)

  it('a line comes of it, or an error with a code', () => {
    const options = { colors: true, alwaysWriteExceptions: true, errorKey: 'err' }
    fc.assert(
      fc.property(text, pattern => {
        expectCoded(() => expect(patternFormatter({ ...options, pattern })(view).endsWith('\n')).toBe(true))
      }),
      { numRuns: RUNS * 2 }
    )
  })

  it('a date comes of it', () => {
    fc.assert(
      fc.property(
        text,
        fc.double({ min: -8e15, max: 8e15, noNaN: true }),
        (pattern, time) => void expectCoded(() => dateFormatter(pattern, 'UTC')(time))
      ),
      { numRuns: RUNS }
    )
  })

  it('a name of a rolled file that is known again comes of it', () => {
    fc.assert(
      fc.property(text, fc.nat(2_000), (pattern, index) => {
        expectCoded(() => {
          const names = new RollNames(pattern)
          const time = Date.UTC(2026, 10, 29, 12)
          const name = names.name(time, index + 1)
          expect(names.match(name)).not.toBeNull()
        })
      }),
      { numRuns: RUNS }
    )
  })
})

describe('the schema for editors', () => {
  let folder: string

  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'shardlog-test-'))
  })

  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it('accepts what configure accepts', () => {
    const schema = JSON.parse(
      fs.readFileSync(path.join(packageRoot, 'docs/reference/configuration.schema.json'), 'utf8')
    ) as object
    const validate = new Ajv({ strict: false, allErrors: true }).compile(schema)
    expect([validate(RIGHT), validate.errors]).toEqual([true, null])
    const withVariables = {
      appenders: { f: { type: 'File', file_name: '${X}', batch_size: '${N:-5}', buffered_io: '${B}' } }
    }
    expect([validate(withVariables), validate.errors]).toEqual([true, null])
    expect(validate({ appenders: { f: { type: 'File' } } })).toBe(false)
    expect(validate({ appenders: { f: { type: 'Fil', file_name: 'x' } } })).toBe(false)
    const file = path.join(folder, 'right.json')
    fs.writeFileSync(file, JSON.stringify(RIGHT))
    expect([...readModel(file).appenders.keys()]).toEqual(['a', 'b', 'c'])
  })
})
