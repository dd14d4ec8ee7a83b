import { readError } from './errors'
import { type OpenOptions, openScanner } from './open-scanner'
import { openSource } from './open-source'
import type { Source } from './source'
import { stableEnd } from './stable-end'
import type { ScanItem, Scanner } from './types'

/** Batches of one source, in file order; closes it at the end. */
export async function* scanSource(source: Source, options: OpenOptions = {}): AsyncGenerator<ScanItem[], void> {
  let scanner: Scanner | null = null
  try {
    scanner = await openScanner(source, options)
    scanner.limit = await stableEnd(source)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) yield items
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

/** Batches of several logs, one after the other. */
export async function* scanFiles(paths: readonly string[], options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  for (const path of paths) yield* scanSource(await openSource(path), options)
}
