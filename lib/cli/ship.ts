import { readModel } from '../appenders/logging'
import type { AppenderConfig } from '../appenders/model'
import { asShardlogError } from '../errors'
import { cursorOf, type Job, logOf, shipperOptions } from '../ship/job'
import { makeSink, registerRemoteKinds, remoteKinds } from '../ship/kinds'
import { lagOf } from '../ship/marks'
import { Shipper } from '../ship/shipper'
import { holderOf, readState } from '../ship/state'
import { type Command, EXIT_FAILED, EXIT_OK, parseCommand, UsageError } from './command'
import { FdWriter } from './output'
import { say, visibleLine } from './terminal'

const HELP = `Usage: shardlog ship [options] CONFIG [NAME...]

Ships the local logs of the remote appenders of a configuration (Kafka, Http, Otlp, Syslog, Failover), all or those of the names
given, until interrupted: at least once, in order, each record with an id. What has been shipped is kept in a cursor beside the log;
a shipper that was killed goes on where it was. The logs may be ours, or lines that another program writes and rotates.

  --once           ship what is there, then end
  --status         do not ship: tell how far each log has been shipped
  --json           with --status: one JSON object a line
  -h, --help       this text

Examples:
  shardlog ship logging.yaml               of an application that has 'shipping: process'
  shardlog ship logging.yaml kafka_log     one of its appenders
  shardlog ship --status logging.yaml      how far behind?
`

const OPTIONS = {
  once: { type: 'boolean' },
  status: { type: 'boolean' },
  json: { type: 'boolean' }
} as const

/** What the configuration says is to be shipped. */
function jobsOf(file: string, names: readonly string[]): Job[] {
  registerRemoteKinds()
  const types = new Set(remoteKinds.map(({ type }) => type))
  const { appenders } = readModel(file)
  const remote = [...appenders.values()].filter(({ type }) => types.has(type))
  for (const name of names) {
    if (remote.some(appender => appender.name === name)) continue
    const known = remote.map(appender => appender.name).join(', ')
    throw new UsageError(`${file} has no remote appender ${name}${known === '' ? '' : `: it has ${known}`}`)
  }
  const chosen = remote.filter(({ name }) => names.length === 0 || names.includes(name))
  if (chosen.length === 0) throw new UsageError(`${file} has no remote appender: none of ${[...types].join(', ')}`)
  return chosen.map(({ name, type, options }: AppenderConfig) => ({ name, type, options }))
}

// Status.

interface Status {
  name: string
  log: string
  target: string
  cursor: string
  /** Pid of the shipper that is at work; null: none is. */
  pid: number | null
  stream: string | null
  sequence: number
  records: number
  deadLetters: number
  failures: number
  gaps: number
  damaged: number
  lagBytes: number
  /** When the cursor was written last, ms since the epoch; null: never. */
  saved: number | null
  lastError: { time: number; message: string } | null
}

async function statusOf(job: Job): Promise<Status> {
  const cursor = cursorOf(job)
  const log = logOf(job)
  const state = await readState(cursor)
  const { rotated } = shipperOptions(job)
  const counts = state?.counts
  const none = { current: null, files: [] }
  return {
    name: job.name,
    log,
    target: state?.target ?? '',
    cursor,
    pid: holderOf(cursor) ?? null,
    stream: state?.stream ?? null,
    sequence: state?.sequence ?? 0,
    records: counts?.records ?? 0,
    deadLetters: counts?.deadLetters ?? 0,
    failures: counts?.failures ?? 0,
    gaps: counts?.gaps ?? 0,
    damaged: counts?.damaged ?? 0,
    lagBytes: await lagOf({ ...(state ?? none) }, log, rotated),
    saved: state ? state.saved : null,
    lastError: state?.lastError ?? null
  }
}

function textOf(status: Status): string {
  const { name, log, target, pid, records, deadLetters, gaps, damaged, lagBytes, saved, lastError } = status
  const who = pid === null ? 'no shipper is at work' : `shipped by pid ${pid}`
  const when = saved === null ? 'nothing has been shipped yet' : `cursor of ${new Date(saved).toISOString()}`
  const counts = `${records} records shipped, ${lagBytes} bytes behind, ${deadLetters} dead letters, ${gaps} gaps, ${damaged} damaged`
  const error =
    lastError === null
      ? ''
      : `\n  last error, ${new Date(lastError.time).toISOString()}: ${visibleLine(lastError.message)}`
  return `${name}: ${visibleLine(log)} to ${target === '' ? 'its target' : target}\n  ${who}; ${when}\n  ${counts}${error}\n`
}

async function printStatus(jobs: readonly Job[], asJson: boolean): Promise<number> {
  const out = new FdWriter(1)
  let code = EXIT_OK
  for (const job of jobs) {
    try {
      const status = await statusOf(job)
      await out.write(Buffer.from(asJson ? `${JSON.stringify(status)}\n` : textOf(status)))
    } catch (error) {
      say(`${job.name}: ${(error as Error).message}`)
      code = EXIT_FAILED
    }
  }
  return code
}

// Shipping.

/** A problem that goes on is told once a minute. */
const TOLD_MS = 60_000

function teller(name: string): (error: Error) => void {
  const told = new Map<string, number>()
  return error => {
    const { code, message } = asShardlogError(error)
    const last = told.get(code)
    if (last !== undefined && Date.now() - last < TOLD_MS) return
    told.set(code, Date.now())
    say(`${name}: ${message}`)
  }
}

/** Starts all, or none. */
async function startAll(jobs: readonly Job[]): Promise<Shipper[]> {
  const shippers: Shipper[] = []
  try {
    for (const job of jobs)
      shippers.push(await Shipper.start(shipperOptions(job), makeSink(job.type, job.options), teller(job.name)))
    return shippers
  } catch (error) {
    await Promise.all(shippers.map(shipper => shipper.close()))
    throw error
  }
}

async function shipAll(jobs: readonly Job[], once: boolean): Promise<number> {
  const stopped = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  const shippers = await startAll(jobs)
  const done = Promise.all(shippers.map(shipper => shipper.flush())).then(() => undefined)
  await (once ? Promise.race([stopped, done]) : stopped)
  const ends = await Promise.allSettled(shippers.map(shipper => shipper.close()))
  for (const end of ends) if (end.status === 'rejected') say((end.reason as Error).message)
  return ends.some(({ status }) => status === 'rejected') ? EXIT_FAILED : EXIT_OK
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const [config, ...names] = positionals
  if (config === undefined) throw new UsageError('no configuration given')
  if (values.json && !values.status) throw new UsageError('--json goes with --status')
  const jobs = jobsOf(config, names)
  return values.status ? printStatus(jobs, values.json === true) : shipAll(jobs, values.once === true)
}

export const ship: Command = {
  name: 'ship',
  summary: 'ship logs to Kafka, HTTP, OpenTelemetry or syslog, at least once',
  help: HELP,
  run
}
