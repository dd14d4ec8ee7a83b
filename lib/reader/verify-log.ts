import { FORM_TEXT } from '../arena/arena-file'
import { asideArenas } from '../arena/locate'
import type { WithPaths } from '../path-like'
import { openArena, scanArena } from './arena-log'
import { damageError, readError } from './errors'
import type { FormatChoice } from './format'
import { formatOfArena, makeScanner, sourceFormat } from './open-scanner'
import { checkFormat, checkNames, type LogPath, pathOf, resolveArenaDir } from './read-options'
import { isArena, openLog, resumePosition, scanWaiting } from './scan-files'
import type { Source } from './source'
import { stableEnd } from './stable-end'
import type { Scanner } from './types'
import { ReportBuilder, type VerifyReport } from './verify-report'
import { arenaFacts, countWaiting } from './waiting'

export interface VerifyProgress {
  bytes: number
  /** Infinity on a pipe. */
  totalBytes: number
}

export interface VerifyOptions {
  /** Called after each few MiB. */
  onProgress?: (progress: VerifyProgress) => void
  /** Throw ERR_SHARDLOG_CORRUPT at the first damage. Default false. */
  strict?: boolean
  /** As in `readLog`. Default 'auto'. */
  format?: FormatChoice
  /** As in `readLog`. */
  arenaDir?: string | URL | undefined
}

function builderFor(path: string, { strict = false }: WithPaths<VerifyOptions>): ReportBuilder {
  if (!strict) return new ReportBuilder(path)
  return new ReportBuilder(path, damage => {
    throw damageError(damage)
  })
}

/** Adds what stands in a source, and closes it. Returns where it was read to, and where reading may go on. */
async function addSource(
  source: Source,
  builder: ReportBuilder,
  options: WithPaths<VerifyOptions>
): Promise<{ bytes: number; resume: number }> {
  let scanner: Scanner | null = null
  try {
    const format = await sourceFormat(source, options.format, options.arenaDir)
    builder.format = format
    scanner = makeScanner(source, format ?? 'shard', { reuse: true })
    scanner.limit = await stableEnd(source, options.arenaDir)
    const totalBytes = Math.min(await source.size(), scanner.limit)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
      for (const item of items) builder.add(item)
      options.onProgress?.({ bytes: scanner.position, totalBytes })
    }
    return { bytes: scanner.position, resume: resumePosition(scanner, format ?? 'shard') }
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

/** Verifies what a pipe holds, and closes it. */
export async function verifySource(source: Source, options: WithPaths<VerifyOptions> = {}): Promise<VerifyReport> {
  const builder = builderFor(source.path, options)
  const { bytes } = await addSource(source, builder, options)
  return builder.finish(bytes, null, [])
}

/** Verifies an arena that is given by its name. */
async function verifyArena(path: string, options: WithPaths<VerifyOptions>): Promise<VerifyReport> {
  const arena = openArena(path)
  const builder = builderFor(arena.path, options)
  const facts = countWaiting(arena)
  builder.format = arena.form === FORM_TEXT ? 'ndjson' : 'shard'
  arena.close()
  for await (const items of scanArena(path)) for (const item of items) builder.add(item)
  return builder.finish(0, facts, [])
}

/** As `verifyLog`, its arguments checked. */
export async function verifyFile(path: string, options: WithPaths<VerifyOptions>): Promise<VerifyReport> {
  const { arenaDir } = options
  const source = await openLog(path, arenaDir)
  if (source && (options.format ?? 'auto') === 'auto' && (await isArena(source))) {
    await source.close()
    return verifyArena(path, options)
  }
  const builder = builderFor(path, options)
  const { bytes, resume } = source ? await addSource(source, builder, options) : { bytes: 0, resume: 0 }
  if (!source) builder.format = formatOfArena(path, arenaDir)
  if (source?.seekable === false) return builder.finish(bytes, null, [])
  const facts = arenaFacts(path, arenaDir)
  for await (const items of scanWaiting(path, resume, { ...options, format: options.format ?? 'auto' })) {
    for (const item of items) builder.add(item)
  }
  return builder.finish(bytes, facts, asideArenas(path, arenaDir))
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export async function verifyLog(path: LogPath, options: VerifyOptions = {}): Promise<VerifyReport> {
  const checked = pathOf(path, 'verifyLog')
  checkNames(options, ['arenaDir', 'format', 'onProgress', 'strict'], 'verifyLog')
  checkFormat(options.format)
  return verifyFile(checked, { ...options, arenaDir: resolveArenaDir(options.arenaDir) })
}
