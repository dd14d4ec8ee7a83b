/** Entries on standard output: as they are, as JSON, or readable. */

import { isUtf8 } from 'node:buffer'
import { constants, existsSync, write } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { fromSystemError, ShardlogError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { makePrettifier, type Prettifier, type PrettyOptions } from '../pretty'
import { type BlockItem, type Entry, entrySlices, type LinesItem, type ScanItem } from '../reader/items'
import { type HelpRow, UsageError } from './command'
import { isForTerminal, isoTime, say, visibleButColors, visibleBytes, visibleJson, visibleStrings } from './terminal'

/** Pause before a full pipe that somebody made non-blocking is tried again. */
const RETRY_MS = 5

/** The reader of our output has gone: stop quietly, as a pipeline's members do. */
export class OutputClosed extends Error {}

function writeOnce(fd: number, bytes: Uint8Array, start: number, end: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, start, end - start, null, (error, count) => {
      if (!error) resolve(count)
      else if (error.code === 'EAGAIN') setTimeout(() => resolve(0), RETRY_MS)
      else if (error.code === 'EPIPE') reject(new OutputClosed('output closed'))
      else reject(error)
    })
  })
}

/** Collected output is written when it reaches this size. */
const FULL_BYTES = 256 * 1024

/**
 * Writes to a file descriptor, waiting until the bytes are taken, so that a slow reader slows us
 * down.
 */
export class FdWriter {
  private text: string[] = []
  private parts: Uint8Array[] = []
  private collected = 0

  constructor(private readonly fd: number) {}

  /** @throws OutputClosed if nobody reads any more. */
  async write(bytes: Uint8Array, start = 0, end = bytes.length): Promise<void> {
    for (let at = start; at < end; ) at += await writeOnce(this.fd, bytes, at, end)
  }

  /**
   * Collects text or bytes; `isFull` says when to call `flush`. The bytes must not change before.
   */
  add(part: string | Uint8Array): void {
    this.collected += part.length
    if (typeof part === 'string') {
      this.text.push(part)
      return
    }
    this.endText()
    this.parts.push(part)
  }

  get isFull(): boolean {
    return this.collected >= FULL_BYTES
  }

  async flush(): Promise<void> {
    this.endText()
    const bytes = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts)
    this.parts = []
    this.collected = 0
    await this.write(bytes)
  }

  private endText(): void {
    if (this.text.length === 0) return
    this.parts.push(Buffer.from(this.text.join('')))
    this.text = []
  }
}

export const NEWLINE = 0x0a

/** One JSON object a line: text where the bytes are UTF-8, base64 where not. */
function entryJson(entry: Entry, withPath: boolean): string {
  const { bytes, block } = entry
  const line = {
    ...(withPath ? { path: block.path } : {}),
    offset: entry.offset,
    ...(block.source === 'arena' ? { waiting: true } : {}),
    ...(block.firstTime === undefined ? {} : { time: isoTime(block.firstTime) }),
    ...(block.producer === undefined ? {} : { producer: block.producer }),
    ...(isUtf8(bytes) ? { text: entry.text } : { base64: bytes.toString('base64') })
  }
  return `${JSON.stringify(line)}\n`
}

/**
 * Turns a block's entries into lines where they lie, from index `out` on, which is not behind the
 * block's first entry: each length prefix frees four bytes, a missing newline takes one.
 * @returns index behind the last line.
 */
function packLines(item: BlockItem, from: number): number {
  const { data, end } = item
  let at = item.start
  let out = from
  while (at < end) {
    const start = at + ENTRY_PREFIX_BYTES
    at = start + data.readUInt32LE(at)
    const ended = data[at - 1] === NEWLINE
    data.copyWithin(out, start, at)
    out += at - start
    if (!ended) data[out++] = NEWLINE
  }
  return out
}

/** Collects lines as they are, with a newline behind the last one of a file. */
function addText({ data, start, end, goesOn }: LinesItem, writer: FdWriter): void {
  writer.add(data.subarray(start, end))
  if (!goesOn && (end === start || data[end - 1] !== NEWLINE)) writer.add('\n')
}

/**
 * Writes the blocks or lines of one batch as lines, overwriting their memory: the batch must be of
 * a scanner of our own.
 */
export async function writeLines(items: readonly ScanItem[], writer: FdWriter): Promise<void> {
  let data: Buffer | null = null
  let first = 0
  let end = 0
  const addPacked = () => {
    if (data) writer.add(data.subarray(first, end))
    data = null
  }
  for (const item of items) {
    if (item.kind === 'lines') {
      addPacked()
      addText(item, writer)
    }
    if (item.kind !== 'block') continue
    // Blocks that stand one behind the other become lines that do; those of a batch in another
    // order each stay at their place.
    if (data !== item.data || item.start < end) {
      addPacked()
      first = end = item.start
    }
    data = item.data
    end = packLines(item, end)
  }
  addPacked()
  await writer.flush()
}

/** As many entries are objects at once. */
const SLICE_ENTRIES = 8192

/** Writes the entries of one batch as `print` has them. */
export async function writeEntries(
  items: readonly ScanItem[],
  writer: FdWriter,
  print: (entry: Entry) => string
): Promise<void> {
  for (const item of items) {
    if (item.kind !== 'block' && item.kind !== 'lines') continue
    for (const entries of entrySlices(item, SLICE_ENTRIES)) {
      for (const entry of entries) {
        writer.add(print(entry))
        if (writer.isFull) await writer.flush()
      }
    }
  }
  await writer.flush()
}

/** Where pino-pretty's own command looks first: code, which is never run for lying somewhere. */
const CODE_CONFIGS = ['pino-pretty.config.cjs', 'pino-pretty.config.js']
/** Where it looks then. */
const TEXTS = ['.pino-prettyrc', '.pino-prettyrc.json']
const CODE = /\.[cm]?js$/
const STRINGS_AND_COMMENTS = /("(?:\\.|[^"\\])*")|\/\/.*|\/\*[\s\S]*?\*\//g
/** More is no configuration. */
const MAX_BYTES = 1024 * 1024

async function loadModule(file: string): Promise<unknown> {
  const loaded = (await import(pathToFileURL(path.resolve(file)).href)) as { default?: unknown }
  return loaded.default
}

async function textOf(handle: FileHandle): Promise<string> {
  const stats = await handle.stat()
  if (!stats.isFile()) throw new Error('it is not a regular file')
  if (stats.size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`)
  return handle.readFile('utf8')
}

/** JSON in which comments are allowed. */
async function loadText(file: string): Promise<unknown> {
  // Nobody is waited for: what lies there may be a pipe.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const text = await textOf(handle)
    return JSON.parse(text.replace(STRINGS_AND_COMMENTS, (_, quoted: string | undefined) => quoted ?? ''))
  } finally {
    await handle.close()
  }
}

/**
 * pino-pretty's options out of a file that somebody has named: JSON in which comments are allowed,
 * or a module.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it cannot be read
 */
async function prettyOptionsFrom(file: string): Promise<PrettyOptions> {
  let found: unknown
  try {
    found = await (CODE.test(file) ? loadModule(file) : loadText(file))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_CONFIG', `cannot read pino-pretty's options from ${file}`, error, file)
  }
  if (typeof found === 'object' && found !== null) return found as PrettyOptions
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `${file} holds no object with options of pino-pretty`, { path: file })
}

/**
 * pino-pretty's options out of the configuration file in a directory; none if there is no such
 * file. Only of one that is JSON: nothing in the directory is run.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if there is one that cannot be read
 */
async function prettyOptionsIn(directory: string): Promise<PrettyOptions> {
  for (const name of TEXTS) {
    try {
      return await prettyOptionsFrom(path.join(directory, name))
    } catch (error) {
      if ((error as ShardlogError).errno !== 'ENOENT') throw error
    }
  }
  return {}
}

/** The options that say how entries are printed. */
export const PRINT_OPTIONS = {
  json: { type: 'boolean' },
  pretty: { type: 'boolean' },
  config: { type: 'string' },
  color: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  raw: { type: 'boolean' }
} as const

export const PRINT_HELP: readonly HelpRow[] = [
  [
    '--pretty',
    'readable, by the package pino-pretty, which is looked for beside shardlog and beside this command, never in the',
    'working directory; with the options in .pino-prettyrc or .pino-prettyrc.json there, which are JSON; in colours',
    'on a terminal, unless NO_COLOR is set. A line that pino-pretty cannot make readable is printed as it is'
  ],
  [
    '--config FILE',
    "with --pretty: pino-pretty's options from this file instead; one that is code (.js, .cjs, .mjs) is run"
  ],
  ['--[no-]color', 'with --pretty: colours in any case, or in none'],
  [
    '--raw',
    'on a terminal too, bytes as they are. By default control characters are shown there as less shows them',
    '(ESC, ^G, <U+009B>); what goes to a pipe or file is never changed'
  ]
]

interface PrintValues {
  json?: boolean
  pretty?: boolean
  config?: string
  color?: boolean
  'no-color'?: boolean
  raw?: boolean
}

/** How entries are printed. */
export interface EntryPrinter {
  /** Whether each entry says itself where it is from. */
  readonly namesFile: boolean
  /** The text of an entry, newline included; empty for none. */
  print(entry: Entry, withPath: boolean): string
}

const LINE_END = /\r?\n$/

/**
 * The readable text of a line; the line itself if pino-pretty cannot make any of it: its content
 * decides what that throws.
 */
function prettyLine(prettify: Prettifier, line: string): string {
  try {
    return prettify(line) ?? ''
  } catch {
    return `${line}\n`
  }
}

/** Says so if there is code that pino-pretty's own command would run, and this one does not. */
function sayIgnoredCode(directory: string): void {
  const file = CODE_CONFIGS.find(name => existsSync(path.join(directory, name)))
  if (file) say(`${file} is code, and not run unless asked for: --config ${file}`)
}

async function prettyPrinter(own: PrettyOptions, config: string | undefined, terminal: boolean): Promise<EntryPrinter> {
  const directory = process.cwd()
  if (config === undefined) sayIgnoredCode(directory)
  const options = config === undefined ? await prettyOptionsIn(directory) : await prettyOptionsFrom(config)
  const prettify = makePrettifier({ ...options, ...own })
  // What the text of a line holds is shown; the colours that pino-pretty adds are obeyed.
  const print = (line: string): string => {
    return terminal ? visibleButColors(prettyLine(prettify, visibleStrings(line))) : prettyLine(prettify, line)
  }
  return {
    namesFile: false,
    print: entry => {
      const lines = entry.text.replace(LINE_END, '').split('\n')
      return lines.map(print).join('')
    }
  }
}

const plainPrinter: EntryPrinter = {
  namesFile: false,
  print: ({ bytes }) => {
    const text = visibleBytes(bytes)
    return text.endsWith('\n') ? text : `${text}\n`
  }
}

function jsonPrinter(terminal: boolean): EntryPrinter {
  const print = (entry: Entry, withPath: boolean) => entryJson(entry, withPath)
  if (!terminal) return { namesFile: true, print }
  return { namesFile: true, print: (entry, withPath) => visibleJson(print(entry, withPath)) }
}

function checkValues(values: PrintValues): void {
  const { json, pretty, color, config, 'no-color': plain } = values
  if (json && pretty) throw new UsageError('--json and --pretty exclude each other')
  if (color && plain) throw new UsageError('--color and --no-color exclude each other')
  if ((color || plain) && !pretty) throw new UsageError('--color and --no-color go with --pretty')
  if (config !== undefined && !pretty) throw new UsageError('--config goes with --pretty')
}

/**
 * What the options ask for; null: entries as they are.
 * @throws UsageError; ShardlogError `ERR_SHARDLOG_NO_PRETTY`
 */
export async function printerOf(values: PrintValues): Promise<EntryPrinter | null> {
  checkValues(values)
  const { json = false, pretty = false, color = false, 'no-color': plain = false, raw = false, config } = values
  const terminal = isForTerminal(raw)
  if (pretty) return prettyPrinter(color || plain ? { colorize: color } : {}, config, terminal)
  if (json) return jsonPrinter(terminal)
  return terminal ? plainPrinter : null
}
