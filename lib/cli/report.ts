/** `shardlog view --html`: the report in a file. */

import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError } from '../errors'
import type { FilterValues, ViewEvent } from '../view/event'
import { Report } from '../view/report'
import { merged, type OpenSource } from './events'

function filtersText({ level, target, since, until, where = [] }: FilterValues): string {
  const given = { level, target, since, until }
  const words = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
  return [...words, ...where].join(', ')
}

/**
 * Under another name until it is whole: nobody opens half of it, and what was there stays if it
 * fails.
 */
function writeWhole(file: string, text: string): void {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.tmp`)
  try {
    const stats = fs.statSync(file, { throwIfNoEntry: false })
    if (stats !== undefined && !stats.isFile()) {
      fs.writeFileSync(file, text) // A pipe or a device, which cannot be replaced.
      return
    }
    fs.writeFileSync(temporary, text, { flag: 'wx' })
    fs.renameSync(temporary, file)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot write the report ${file}`, error, file)
  }
}

/**
 * Writes a report on the events that pass.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`, and what reading throws
 */
export async function writeReport(
  file: string,
  sources: readonly OpenSource[],
  passes: (event: ViewEvent) => boolean,
  filters: FilterValues
): Promise<void> {
  const report = new Report()
  for await (const event of merged(sources)) if (passes(event)) report.add(event)
  writeWhole(
    file,
    report.html(
      sources.map(({ source }) => source),
      filtersText(filters)
    )
  )
}
