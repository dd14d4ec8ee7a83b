import type { FilterValues } from '../view/event'
import { MOST_COUNTED, Summary } from '../view/summary'
import { type Command, EXIT_FAILED, EXIT_OK, helpOf, parseCommand, requireFiles, UsageError } from './command'
import { checkLevel, FILTER_HELP, FILTER_OPTIONS, filterOf } from './event-filter'
import { merged, type OpenSource, openSource, type ViewedEvent } from './events'
import { viewInteractively } from './interactive'
import { FdWriter } from './output'
import { writeReport } from './report'
import { humanCount, isoTime, say, sayUnread, visibleJson, visibleLine } from './terminal'

const HELP = `Usage: shardlog view [options] FILE...

Looks into snapshots of flight recorders, the files of running or dead recorders, and logs of JSON lines or blocks: what they have in
common, or their events, of all files in the order of time. Without options a summary: levels, targets, rate, gaps, most frequent messages.

  --list           the events, one a line, for a person
  --json           the events, one JSON object a line; with --summary, that as JSON
  --summary        the summary, also of what the filters leave
  -i, --interactive
                   a program on the terminal: events over time, list, detail, search, filters, next error, follow; ? shows its
                   keys. Takes gzipped logs and pipes too. Needs the package terminal-kit
  --html FILE      a report as one page, which opens in a browser without a network: events over time, levels, targets, gaps,
                   messages, and a table of the latest 10,000 events and of as many of level warn and above
${helpOf(19, ...FILTER_HELP)}
  -h, --help       this text

Examples:
  shardlog view shardlog-71-20260102030405006-uncaughtException.bin
  shardlog view --list --level warn *.bin
  shardlog view -i --level info app.log app.log.1.gz
  shardlog view --html report.html *.bin app.log
  shardlog view --json --where userId=7 a.bin b.bin app.log | jq .message
`

const OPTIONS = {
  ...FILTER_OPTIONS,
  list: { type: 'boolean' },
  json: { type: 'boolean' },
  summary: { type: 'boolean' },
  interactive: { type: 'boolean', short: 'i' },
  html: { type: 'string' }
} as const

const NS_PER_S = 1e9
const SHOWN = 10

/** Null: it tells none. */
const timeOf = ({ time }: ViewedEvent): string | null => (time > 0n ? isoTime(time) : null)

const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

function jsonOf(event: ViewedEvent): string {
  const { source, level, target, message, thread, fields } = event
  const { file, service, hostname, pid } = source
  const from = source.kind === 'log' ? { file } : { file, service, hostname, pid, thread }
  return `${visibleJson(JSON.stringify({ time: timeOf(event), level, target, message, fields, ...from }, plain))}\n`
}

function lineOf(event: ViewedEvent, several: boolean): string {
  const { source, level, target, message, fields } = event
  const texts = Object.entries(fields).map(
    ([key, value]) =>
      `${key}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value, plain)}`
  )
  const from = several ? [source.pid === null ? source.file : `${source.service}/${source.pid}`] : []
  const words = [
    timeOf(event) ?? '-',
    level.toUpperCase().padEnd(5),
    ...from,
    ...(target === '' ? [] : [`${target}:`]),
    message,
    ...texts
  ]
  return `${visibleLine(words.join(' '))}\n`
}

const seconds = (ns: bigint): string => `${(Number(ns) / NS_PER_S).toPrecision(3)} s`

function row(name: string, items: readonly { name: string; count: number }[]): string[] {
  const texts = items.map(item => `${item.name === '' ? '(none)' : item.name} ${humanCount(item.count)}`)
  return texts.length === 0 ? [] : [`${name.padEnd(10)}${texts.join(', ')}`]
}

function sourceLine({ source }: OpenSource): string {
  const { file, kind, service, hostname, pid, reason, counters } = source
  if (kind === 'log') return `${file}: log`
  const why = reason === null ? '' : ` '${reason}'`
  const lost =
    counters === null
      ? ''
      : `, ${humanCount(counters.overwritten)} overwritten, ${humanCount(counters.dropped)} dropped`
  return `${file}: ${kind}${why} of ${service}, process ${pid} on ${hostname}${lost}`
}

function timesOf({ first, last }: Summary): string[] {
  if (first === null) return ['no event has a time']
  return [`${'from'.padEnd(10)}${isoTime(first)}`, `${'to'.padEnd(10)}${isoTime(last as bigint)}`]
}

function summaryText(summary: Summary, sources: readonly OpenSource[]): string {
  const lines = sources.map(sourceLine)
  lines.push('')
  if (summary.events === 0) lines.push('no events')
  else {
    const rate = summary.rate === null ? '' : `, ${summary.rate.toPrecision(3)} a second`
    lines.push(
      `${'events'.padEnd(10)}${humanCount(summary.events)}${rate}`,
      ...timesOf(summary),
      ...row('levels', summary.levels.top(SHOWN)),
      ...row('targets', summary.targets.top(SHOWN)),
      ...summary.gaps.map(
        ({ from, ns }, i) => `${(i === 0 ? 'gaps' : '').padEnd(10)}${seconds(ns)} from ${isoTime(from)}`
      ),
      `messages  ${humanCount(summary.messages.distinct)}${summary.messages.isFull ? ' or more' : ''} different`,
      ...summary.messages.top(SHOWN).map(({ name, count }) => `${humanCount(count).padStart(10)}  ${name}`)
    )
  }
  return lines.map(line => `${visibleLine(line)}\n`).join('')
}

function summaryJson(summary: Summary, sources: readonly OpenSource[]): string {
  const { events, first, last, rate } = summary
  const gaps = summary.gaps.map(({ from, ns }) => ({ from: isoTime(from), seconds: Number(ns) / NS_PER_S }))
  const value = {
    files: sources.map(({ source: { levels: _, ...rest } }) => rest),
    events,
    first: first === null ? null : isoTime(first),
    last: last === null ? null : isoTime(last),
    rate,
    levels: summary.levels.top(MOST_COUNTED),
    targets: summary.targets.top(SHOWN),
    gaps,
    distinctMessages: summary.messages.distinct,
    messages: summary.messages.top(SHOWN)
  }
  return `${visibleJson(JSON.stringify(value, plain))}\n`
}

interface Choices {
  json: boolean
  list: boolean
  summary: boolean
}

async function show(
  sources: readonly OpenSource[],
  filter: (event: ViewedEvent) => boolean,
  choices: Choices
): Promise<void> {
  const writer = new FdWriter(1)
  const printsEvents = choices.list || (choices.json && !choices.summary)
  const summary = choices.summary || !printsEvents ? new Summary() : null
  const print = choices.list ? (event: ViewedEvent) => lineOf(event, sources.length > 1) : jsonOf
  for await (const event of merged(sources)) {
    if (!filter(event)) continue
    summary?.add(event)
    if (!printsEvents) continue
    writer.add(print(event))
    if (writer.isFull) await writer.flush()
  }
  if (summary !== null) writer.add(choices.json ? summaryJson(summary, sources) : summaryText(summary, sources))
  await writer.flush()
}

function openAll(files: readonly string[]): { sources: OpenSource[]; failed: boolean } {
  const sources: OpenSource[] = []
  for (const file of files) {
    try {
      sources.push(openSource(file))
    } catch (error) {
      say((error as Error).message)
    }
  }
  return { sources, failed: sources.length < files.length }
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const { list = false, json = false, summary = false, interactive = false, html } = values
  if (list && json) throw new UsageError('--list and --json exclude each other')
  if (interactive && html !== undefined) throw new UsageError('--interactive and --html exclude each other')
  if ((interactive || html !== undefined) && (list || json || summary))
    throw new UsageError(`${interactive ? '--interactive' : '--html'} excludes --list, --json and --summary`)
  if (html === '') throw new UsageError('--html takes the name of a file')
  const files = requireFiles(positionals)
  if (files.includes('-')) throw new UsageError('view takes files, not standard input (-)')
  const filters = values as FilterValues
  if (interactive) return viewInteractively(files, filters)
  const filter = filterOf(filters)
  const { sources, failed } = openAll(files)
  if (filters.level !== undefined)
    checkLevel(
      filters.level,
      sources.map(({ source }) => source.levels)
    )
  if (html === undefined) await show(sources, filter, { list, json, summary })
  else await writeReport(html, sources, filter, filters)
  const isDamaged = sources.some(({ source }) => source.damaged > 0)
  for (const { source } of sources) {
    if (source.kind !== 'log') sayUnread(source)
  }
  return failed || isDamaged ? EXIT_FAILED : EXIT_OK
}

export const view: Command = { name: 'view', summary: 'look into snapshots, recorders and logs', help: HELP, run }
