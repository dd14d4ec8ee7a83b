'use strict'

/**
 * The scenarios, in the order they run and are reported.
 *
 * A scenario is `{ name, title, timeoutMs?, prepare?, cases, run, report }`:
 * - `timeoutMs`: how long a case may take, where a healthy one is done in a fraction of it
 *   (default: see runner.js);
 * - `prepare(cases)`: makes what those need that are run, before the first of them;
 * - `cases({ quick, peers })` lists `{ id, params, execArgv? }`;
 * - `run(params, { folder, quick })` measures one case in a fresh process and returns JSON;
 * - `report(results)` turns `{ [case id]: result[] }`, one result per round, into `{ comparisons:
 *   Comparison[], tables: {title, head, rows}[], charts: {title, caption, spec}[], notes: string[]
 *   }`. Cases may be missing (the user chose some); what needs them is then left out.
 *
 * A comparison is a figure, the bound that it is held against (a floor or a peer of the same run,
 * or a number), and whether it is within that.
 * @typedef {{measure: string, bound: string, figure: string, ok: boolean}} Comparison
 */
const names = [
  'startup',
  'burst',
  'operations',
  'latency',
  'heap',
  'sustained',
  'producers',
  'threads',
  'flusher',
  'read',
  'query',
  'call-sites',
  'records',
  'records-latency',
  'records-sustained',
  'records-render',
  'appenders',
  'fastify',
  'express',
  'nestjs',
  'stalled-reader',
  'recorder'
]

const find = name => {
  if (!names.includes(name)) throw new Error(`no scenario is called '${name}'; there are ${names.join(', ')}`)
  return require(`./${name}`)
}

module.exports = { names, find }
