import { readError } from './errors'
import { openSource } from './open-source'
import { BlockScanner, type ScannerOptions } from './scanner'
import type { Source } from './source'
import { stableEnd } from './stable-end'
import type { ScanItem } from './types'

/** Batches of one source, in file order; closes it at the end. */
export async function* scanSource(source: Source, options: ScannerOptions = {}): AsyncGenerator<ScanItem[], void> {
  const scanner = new BlockScanner(source, options)
  try {
    scanner.limit = await stableEnd(source)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) yield items
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner.close()
    await source.close()
  }
}

/** Batches of several logs, one after the other. */
export async function* scanFiles(paths: readonly string[], options: ScannerOptions): AsyncGenerator<ScanItem[], void> {
  for (const path of paths) yield* scanSource(await openSource(path), options)
}
