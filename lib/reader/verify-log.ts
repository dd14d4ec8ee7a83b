import { damageError, readError } from './errors'
import type { FormatChoice } from './format'
import { makeScanner, sourceFormat } from './open-scanner'
import { openSource } from './open-source'
import { checkFormat, checkNames } from './read-options'
import type { Source } from './source'
import { stableEnd } from './stable-end'
import type { ScanItem, Scanner } from './types'
import { ReportBuilder, type VerifyReport } from './verify-report'

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
}

function addItems(items: readonly ScanItem[], builder: ReportBuilder, strict: boolean): void {
  for (const item of items) {
    for (const damage of builder.add(item)) if (strict) throw damageError(damage)
  }
}

/** Verifies what a source holds, and closes it. */
export async function verifySource(source: Source, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { strict = false, onProgress } = options
  let scanner: Scanner | null = null
  try {
    const format = await sourceFormat(source, options.format)
    scanner = makeScanner(source, format ?? 'shard', { reuse: true })
    scanner.limit = await stableEnd(source)
    const totalBytes = Math.min(await source.size(), scanner.limit)
    const builder = new ReportBuilder(source.path, format)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
      addItems(items, builder, strict)
      onProgress?.({ bytes: scanner.position, totalBytes })
    }
    return builder.finish(scanner.position)
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

/**
 * Reads every block of a log and checks it: headers, entries, checksums, padding, sequence numbers; of a text, that every line is
 * JSON. Changes nothing.
 *
 * @throws ShardlogError `ERR_SHARDLOG_READ` if the file cannot be read, `ERR_SHARDLOG_FORMAT` if it is neither blocks nor text; damage
 *   is reported, not thrown
 */
export async function verifyLog(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  checkNames(options, ['format', 'onProgress', 'strict'], 'verifyLog')
  checkFormat(options.format)
  return verifySource(await openSource(path), options)
}
