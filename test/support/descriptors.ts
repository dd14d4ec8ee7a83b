import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, expect, onTestFinished } from 'vitest'
import { packageRoot } from './shardlog'
import { tempDir } from './temp'

/**
 * The start of each script: `say` tells the test what it knows, `told` waits for a byte from the
 * test.
 */
const prelude = `
  const fs = require('node:fs')
  const shardlog = require(${JSON.stringify(packageRoot)})
  const say = what => fs.writeSync(2, 'said: ' + JSON.stringify(what) + '\\n')
  const told = () => new Promise(resolve => process.stdin.once('data', resolve))
  const stats = destination => {
    const { totalLogs, droppedLogs, writtenLogs, lastError } = destination.getStatsSnapshot()
    return { totalLogs, droppedLogs, writtenLogs, error: lastError && lastError.code }
  }
`

const SAID = 'said: '
const isSaid = (line: string): boolean => line.startsWith(SAID)

export interface Line {
  i: number
  time: number
  [key: string]: unknown
}

/**
 * Ends a child that was spawned `detached`, and all that it has started: a shell does not take its
 * commands with it.
 */
export function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A process that logs, and what it says. */
export class Logging {
  readonly child: ChildProcess
  readonly #said: Promise<string>
  readonly #ended: Promise<[number | null, NodeJS.Signals | null]>

  constructor(command: string, args: string[], options: SpawnOptions) {
    this.child = spawn(command, args, { ...options, detached: true })
    onTestFinished(() => killGroup(this.child))
    this.#ended = once(this.child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    this.#said = text(this.child.stderr!)
  }

  /** Lets its `told` go on. */
  tell(): void {
    this.child.stdin!.write('.')
  }

  /** Its end: the exit code, or the signal, and everything that it has said. */
  async end<T = unknown>(): Promise<{ code: number | NodeJS.Signals | null; said: T[]; errors: string }> {
    const [code, signal] = await this.#ended
    const lines = (await this.#said).split('\n').filter(line => line !== '')
    return {
      code: signal ?? code,
      said: lines.filter(isSaid).map(line => JSON.parse(line.slice(SAID.length)) as T),
      errors: lines.filter(line => !isSaid(line)).join('\n')
    }
  }
}

/** Runs `script` with `stdout` as descriptor 1; 'pipe' is a socket. */
export function logging(script: string, stdout: number | 'pipe'): Logging {
  return new Logging(process.execPath, ['-e', prelude + script], { stdio: ['pipe', stdout, 'pipe'] })
}

/** Runs `script` wherever the shell command says `RUN`. */
export function loggingIn(command: string, script: string, environment: Record<string, string> = {}): Logging {
  const env = { ...process.env, ...environment, NODE: process.execPath, SCRIPT: prelude + script }
  const run = command.replaceAll('RUN', '"$NODE" -e "$SCRIPT"')
  return new Logging('sh', ['-c', run], { stdio: ['pipe', 'pipe', 'pipe'], env })
}

/** The reading end of a pipe that a process writes to, read when the test wants to. */
export class PipeReader {
  readonly #fd: number
  #closed = false

  constructor(fd: number) {
    this.#fd = fd
    onTestFinished(() => this.close())
  }

  /** Up to `bytes` that are there; null if nothing is yet. */
  take(bytes: number): Buffer | null {
    const buffer = Buffer.alloc(bytes)
    try {
      return buffer.subarray(0, fs.readSync(this.#fd, buffer))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null
      throw error
    }
  }

  /** Exactly `bytes`, once they are there. */
  async read(bytes: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let missing = bytes; missing > 0; ) {
      const part = this.take(missing)
      if (part === null) await delay(1)
      else parts.push(part)
      missing -= part?.length ?? 0
    }
    return Buffer.concat(parts)
  }

  /** Everything up to the end. */
  async rest(): Promise<string> {
    const parts: Buffer[] = []
    for (;;) {
      const part = this.take(1 << 20)
      if (part === null) await delay(1)
      else if (part.length === 0) return Buffer.concat(parts).toString()
      else parts.push(part)
    }
  }

  close(): void {
    if (!this.#closed) fs.closeSync(this.#fd)
    this.#closed = true
  }
}

/** Runs `script` with a pipe as descriptor 1. */
export function loggingToPipe(script: string, flags = 0): { logging: Logging; reader: PipeReader } {
  const name = path.join(tempDir(), 'pipe')
  execFileSync('mkfifo', [name])
  const reader = new PipeReader(fs.openSync(name, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK))
  const writer = fs.openSync(name, fs.constants.O_WRONLY | flags)
  const process = logging(script, writer)
  fs.closeSync(writer)
  return { logging: process, reader }
}

/** The lines of a text, each of which is whole. */
export function linesOf(output: string): Line[] {
  expect(output === '' || output.endsWith('\n')).toBe(true)
  return output
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as Line)
}

/** What the last line end ends: behind it may stand the start of a line that was given up. */
export const wholeLines = (output: string): string => output.slice(0, output.lastIndexOf('\n') + 1)

/** In the tests of a `describe`, loggers whose engine is 'auto' have this one. */
export function onEngine(engine: 'native' | 'js'): void {
  beforeEach(() => {
    if (engine === 'native') return
    // node-gyp-build looks only where this says, and finds nothing.
    process.env.SHARDLOG_PREBUILD = tempDir()
    // Otherwise each process says that it has to do without the native engine.
    process.env.NODE_NO_WARNINGS = '1'
    onTestFinished(() => {
      delete process.env.SHARDLOG_PREBUILD
      delete process.env.NODE_NO_WARNINGS
    })
  })
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
