import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import readline from 'node:readline'
import { expect, onTestFinished } from 'vitest'
import { prelude } from './child'
import { readTexts } from './plain-reader'
import { type Config, type StatsSnapshot, shardlog } from './shardlog'

/** A failure as it comes over the pipe. */
export interface Failure {
  code: string
  errno?: string
  message: string
}

/** An entry's text is its number, which says which letter it goes on with. */
const FILLER_BYTES = 900

/** Reads one command a line and answers each with one line. The end of its input ends it. */
const SCRIPT = `
process.on('SIGXFSZ', () => {})
const told = []
const plain = error => ({ code: error.code, errno: error.errno, message: error.message })
const outcome = done => done.then(() => 'written', error => error.errno ?? error.code)
const answer = value => process.stdout.write(JSON.stringify(value) + '\\n')
const turn = () => new Promise(resolve => setImmediate(resolve))
let logger
const verbs = {
  async log({ first, count }) {
    const accepted = []
    for (let i = first; i < first + count; i++) {
      if (logger.log(i + ' ' + String.fromCharCode(97 + (i % 26)).repeat(${FILLER_BYTES}))) accepted.push(i)
      if (i % 20 === 0) await turn()
    }
    return accepted
  },
  flush: () => outcome(logger.flush()),
  close: () => outcome(logger.close()),
  stats() {
    const { lastError, ...counts } = logger.getStatsSnapshot()
    return { ...counts, lastError: lastError && plain(lastError) }
  },
  told: async () => (await turn(), told)
}
let opened
try {
  logger = new Logger({ ...config, onError: error => told.push([error.code, error.errno].filter(Boolean).join(' ')) })
  opened = { arenaPath: logger.getStatsSnapshot().arenaPath }
} catch (error) {
  opened = plain(error)
}
answer(opened)
let last = Promise.resolve()
require('node:readline').createInterface({ input: process.stdin }).on('line', line => {
  const { verb, ...args } = JSON.parse(line)
  last = last.then(() => verbs[verb](args)).then(answer)
})
`

/** A logger in a process of its own, which may be killed. */
export class RemoteLogger {
  /** Numbers of the entries accepted, over all processes of the log. */
  readonly accepted: number[]
  /** Log calls made in this process. */
  calls = 0
  /** Entries accepted by this process. */
  acceptedHere = 0
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>
  #next: number

  private constructor(child: ChildProcess, before: RemoteLogger | undefined) {
    this.#child = child
    this.#answers = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    this.accepted = before?.accepted ?? []
    this.#next = before === undefined ? 0 : before.#next
  }

  /**
   * Starts a process and tries to open the log in it. `wrapper` is a command it is started through.
   */
  static async try(config: Config, wrapper: string[] = [], before?: RemoteLogger): Promise<RemoteLogger | Failure> {
    const [command, ...args] = [...wrapper, process.execPath, '-e', prelude(config) + SCRIPT]
    const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const logger = new RemoteLogger(child, before)
    onTestFinished(() => logger.kill())
    const opened = (await logger.#answer()) as Partial<Failure> & { arenaPath?: string | null }
    const arena = opened.arenaPath
    // The one arena that does not go with the log's directory.
    if (arena?.startsWith('/dev/shm/')) onTestFinished(() => fs.rmSync(arena, { force: true }))
    return opened.code === undefined ? logger : (opened as Failure)
  }

  /** As `try`, for a log that can be opened. */
  static async open(config: Config, wrapper: string[] = [], before?: RemoteLogger): Promise<RemoteLogger> {
    const logger = await RemoteLogger.try(config, wrapper, before)
    if (logger instanceof RemoteLogger) return logger
    throw new Error(`cannot open: ${logger.message}`)
  }

  get pid(): number {
    return this.#child.pid!
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`the logging process has ended: ${this.#child.signalCode ?? this.#child.exitCode}`)
    return JSON.parse(value)
  }

  #ask(verb: string, args: object = {}): Promise<unknown> {
    this.#child.stdin!.write(`${JSON.stringify({ verb, ...args })}\n`)
    return this.#answer()
  }

  /** Logs `count` entries; returns how many were accepted. */
  async log(count: number): Promise<number> {
    const first = this.#next
    this.#next += count
    this.calls += count
    const accepted = (await this.#ask('log', { first, count })) as number[]
    this.accepted.push(...accepted)
    this.acceptedHere += accepted.length
    return accepted.length
  }

  /** 'written', or the errno of the failure. */
  flush = (): Promise<string> => this.#ask('flush') as Promise<string>
  close = (): Promise<string> => this.#ask('close') as Promise<string>
  told = (): Promise<string[]> => this.#ask('told') as Promise<string[]>
  stats = (): Promise<StatsSnapshot> => this.#ask('stats') as Promise<StatsSnapshot>

  /** Logs and flushes until a flush fails; returns the errno. */
  async logUntilFlushFails(count = 400): Promise<string> {
    for (let i = 0; i < 200; i++) {
      await this.log(count)
      const flushed = await this.flush()
      if (flushed !== 'written') return flushed
    }
    throw new Error('no flush has failed')
  }

  /** Logs until a call is refused: both sets are full. */
  async logUntilRefused(count = 400): Promise<void> {
    while ((await this.log(count)) === count) {
      // Until the buffers are full.
    }
  }

  /** Flushes until it succeeds; returns the number of failures before. */
  async flushUntilWritten(): Promise<number> {
    let failures = 0
    while ((await this.flush()) !== 'written') if (++failures > 100) throw new Error('flushing fails for good')
    return failures
  }

  /** Waits until `count` attempts to write have failed. */
  async untilErrors(count: number): Promise<void> {
    while ((await this.stats()).flushErrors < count) await new Promise(resolve => setTimeout(resolve, 10))
  }

  /** Ends the process from outside, in the middle of whatever it does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  /**
   * As `kill`, for a process that was started through a tracer, which would outlive it only for a
   * moment.
   */
  async killTraced(): Promise<void> {
    const exited = once(this.#child, 'exit')
    const children = fs.readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'latin1')
    for (const pid of children.trim().split(' ')) process.kill(Number(pid), 'SIGKILL')
    await exited
  }

  /** Ends the process as if its work were done. Returns its exit code or signal. */
  async end(): Promise<number | string> {
    const exited = once(this.#child, 'exit')
    this.#child.stdin!.end()
    const [code, signal] = (await exited) as [number | null, string | null]
    return code ?? signal ?? 'unknown'
  }
}

/** Numbers of a log's entries, in file order; fails on an entry that is not what was logged. */
export function numbersIn(log: string, mayBeTorn = false): number[] {
  return readTexts(log, mayBeTorn).map(text => {
    const number = Number.parseInt(text, 10)
    if (text !== `${number} ${String.fromCharCode(97 + (number % 26)).repeat(FILLER_BYTES)}`)
      throw new Error(`torn: ${text.slice(0, 40)}`)
    return number
  })
}

/** Compares long lists by their first difference, which says more than all of them. */
export function expectSame(found: number[], expected: number[]): void {
  const at = found.findIndex((number, i) => number !== expected[i])
  const from = at < 0 ? Math.min(found.length, expected.length) : at
  expect({ from, rest: found.slice(from, from + 5), length: found.length }).toEqual({
    from,
    rest: expected.slice(from, from + 5),
    length: expected.length
  })
}

/**
 * What must hold in the end: each accepted entry once, in order and whole, and every block sound.
 */
export async function expectExactly(log: string, accepted: number[]): Promise<void> {
  expectSame(numbersIn(log), accepted)
  expect(await shardlog.verifyLog(log)).toMatchObject({ ok: true, damage: [] })
}

/**
 * What must hold after a close: each call was accepted or counted, and what was accepted is
 * written.
 */
export async function expectCounted(logger: RemoteLogger): Promise<void> {
  const { totalLogs, droppedLogs, writtenLogs } = await logger.stats()
  expect({ totalLogs, droppedLogs, writtenLogs }).toEqual({
    totalLogs: logger.calls,
    droppedLogs: logger.calls - logger.acceptedHere,
    writtenLogs: logger.acceptedHere
  })
}
