import { explain } from '../appenders/explain'
import { type Model, readModel } from '../appenders/logging'
import { registerRemoteKinds } from '../ship/kinds'
import { visibleLine } from '../text'
import { type Command, EXIT_FAILED, EXIT_OK, helpOf, parseCommand, UsageError } from './command'
import { FdWriter } from './output'
import { say } from './terminal'

const HELP = `Usage: shardlog config check FILE...
       shardlog config explain [options] FILE LOGGER LEVEL

Looks at configurations of shardlog.configure(), YAML or JSON. Nothing is opened or written.

check      tells of everything that is wrong, each with line, path, value and what is allowed
explain    which appenders a record of LOGGER (root: the root logger) at LEVEL reaches, and why not the others

${helpOf(
  21,
  ['--message TEXT', "explain: the record's message, for filters that look at it"],
  ['--field NAME=VALUE', 'explain: a field of the record; may be given several times'],
  ['-h, --help', 'this text']
)}

Examples:
  shardlog config check logging.yaml && systemctl reload shop
  shardlog config explain logging.yaml orders.api debug
  shardlog config explain --field tenant=acme logging.yaml orders.api info
`

const OPTIONS = { message: { type: 'string' }, field: { type: 'string', multiple: true } } as const

async function print(text: string): Promise<void> {
  await new FdWriter(1).write(Buffer.from(text))
}

async function check(files: readonly string[]): Promise<number> {
  if (files.length === 0) throw new UsageError('no configuration given')
  let code = EXIT_OK
  for (const file of files) {
    try {
      const model = readModel(file)
      const names = model.loggers.filter(name => name !== '')
      await print(
        `${file}: fine: appenders ${[...model.appenders.keys()].join(', ')}; loggers root${names.map(name => `, ${name}`).join('')}\n`
      )
    } catch (error) {
      sayAll(error)
      code = EXIT_FAILED
    }
  }
  return code
}

/** Each problem on a line of its own, below what they are problems of. */
function sayAll(error: unknown): void {
  const [first, ...problems] = (error as Error).message.split('\n')
  say(first!)
  for (const problem of problems) process.stderr.write(`${visibleLine(problem)}\n`)
}

/** Fields as they were given: numbers and the like are those. */
function fieldsOf(given: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    given.map(pair => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError(`--field takes NAME=VALUE, not '${pair}'`)
      const text = pair.slice(at + 1)
      const isJson = /^(?:-?\d+(?:\.\d+)?|true|false|null)$/.test(text)
      return [pair.slice(0, at), isJson ? (JSON.parse(text) as unknown) : text]
    })
  )
}

/** Of the column of appenders: one long name does not push the reasons of all aside. */
const MOST_WIDTH = 40

const REACHED = new Map<boolean | null, string>([
  [true, 'reached'],
  [null, 'perhaps'],
  [false, 'not']
])

function told(
  model: Model,
  logger: string,
  level: string,
  example: { message: string; fields: Record<string, unknown> }
): string {
  const { level: own, fates } = explain(model, { logger, level, ...example })
  const longest = Math.max(...fates.map(({ appender, type }) => appender.length + type.length)) + 3
  const width = Math.min(longest, MOST_WIDTH)
  const lines = fates.map(
    ({ appender, type, reached, reason }) =>
      `  ${REACHED.get(reached)!.padEnd(9)}${`${appender} (${type})`.padEnd(width)} ${reason}`
  )
  return [
    `logger ${logger === '' ? 'root' : logger}, whose level is ${own === 'silent' ? 'off' : own}; a record of level ${level}:`,
    ...lines,
    ''
  ].join('\n')
}

async function run(args: string[]): Promise<number> {
  registerRemoteKinds()
  const { values, positionals } = parseCommand(args, OPTIONS)
  const [what, ...rest] = positionals
  if (what === 'check') return check(rest)
  if (what !== 'explain')
    throw new UsageError(`config takes check or explain${what === undefined ? '' : `, not '${what}'`}`)
  const [file, logger, level, ...more] = rest
  if (file === undefined || logger === undefined || level === undefined || more.length > 0) {
    throw new UsageError('config explain takes FILE LOGGER LEVEL')
  }
  const fields = fieldsOf(values.field ?? [])
  const name = logger.toLowerCase() === 'root' ? '' : logger
  try {
    await print(told(readModel(file), name, level, { message: values.message ?? '', fields }))
    return EXIT_OK
  } catch (error) {
    sayAll(error)
    return EXIT_FAILED
  }
}

export const config: Command = {
  name: 'config',
  summary: 'check a configuration, or explain which appenders a record reaches',
  help: HELP,
  run
}
