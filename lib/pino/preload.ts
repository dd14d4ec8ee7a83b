/**
 * Options of a transport's worker thread. A worker runs the program's preloads (`--import`, `--require`) again; if one of them
 * opens a transport, its worker would open another, without end, and one that is not there any more ends the worker.
 */

import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { WorkerOptions } from 'node:worker_threads'

const PRELOAD_FLAGS: ReadonlySet<string> = new Set(['--import', '--require', '-r'])

interface Flag {
  /** The words that make it up: one, or flag and value. */
  words: string[]
  /** What is preloaded, if it is a preload. */
  preload: string | undefined
}

/** Flags with their values, from a list of words. */
function parseFlags(words: readonly string[]): Flag[] {
  const flags: Flag[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    const equals = word.indexOf('=')
    const name = equals < 0 ? word : word.slice(0, equals)
    const isPreload = PRELOAD_FLAGS.has(name)
    if (isPreload && equals < 0 && at + 1 < words.length) {
      const value = words[++at] as string
      flags.push({ words: [word, value], preload: value })
    } else {
      flags.push({ words: [word], preload: isPreload && equals >= 0 ? word.slice(equals + 1) : undefined })
    }
  }
  return flags
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2')
}

/** Whether a preload names a file, by absolute path or URL, that does not exist. */
function isMissing(preload: string): boolean {
  const name = unquoted(preload)
  if (name.startsWith('file://')) return !existsSync(fileURLToPath(name))
  return path.isAbsolute(name) && !existsSync(name)
}

/** NODE_OPTIONS without preloads of files that are not there; undefined if nothing is to be left out. */
function repairedNodeOptions(value: string | undefined): string | undefined {
  if (!value) return undefined
  const flags = parseFlags(value.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [])
  const kept = flags.filter(flag => flag.preload === undefined || !isMissing(flag.preload))
  return kept.length === flags.length ? undefined : kept.flatMap(flag => flag.words).join(' ')
}

/** The flags of this process without preloads; undefined if it has none. */
function execArgvWithoutPreloads(): string[] | undefined {
  const flags = parseFlags(process.execArgv)
  const kept = flags.filter(flag => flag.preload === undefined)
  return kept.length === flags.length ? undefined : kept.flatMap(flag => flag.words)
}

/** Whether the program's main module has not begun yet: then this is a preload's code. */
function isPreloading(): boolean {
  return typeof require === 'function' && require.main === undefined && process.argv[1] !== undefined
}

/** @param name of the thread, unless `own` names it */
export function workerOptions(own: WorkerOptions, name: string): WorkerOptions {
  const options: WorkerOptions = { name, ...own }
  const nodeOptions = own.env === undefined ? repairedNodeOptions(process.env.NODE_OPTIONS) : undefined
  if (nodeOptions !== undefined) options.env = { ...process.env, NODE_OPTIONS: nodeOptions }
  const execArgv = own.execArgv === undefined && isPreloading() ? execArgvWithoutPreloads() : undefined
  if (execArgv) options.execArgv = execArgv
  return options
}
