import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs'
import { type Context, type ContextManager, context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Recorder, type RecorderOptions, readSnapshot } from '../../lib/public'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const SPAN = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }

function open(options: RecorderOptions): Recorder {
  const recorder = new Recorder({ onCrash: false, directory: tempDir(), path: false, ...options })
  onTestFinished(() => recorder.close())
  return recorder
}

/** Contexts that follow calls, as an SDK has them. */
function withContexts(): void {
  const storage = new AsyncLocalStorage<Context>()
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, fn, self, ...args) => storage.run(active, () => fn.apply(self as never, args)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager
  }
  context.setGlobalContextManager(manager)
  onTestFinished(() => context.disable())
}

const inSpan = (call: () => void): void => context.with(trace.setSpanContext(ROOT_CONTEXT, SPAN), call)

describe.each(['native', 'js'] as const)('a recorder that is asked where events come from, engine %s', engine => {
  it('tells the call that recorded one, however it was made', () => {
    const recorder = open({ engine, caller: true })
    const draft = recorder.event().message('b').build()
    function handle() {
      recorder.record('info', 't', 'a', { n: 1 })
      recorder.add(draft)
      recorder.event().message('c').record()
    }
    handle()
    const events = recorder.takeSnapshot()
    const lines = events.map(event => /origin\.test\.ts:(\d+) \(handle\)$/.exec(String(event.fields.caller))?.[1])
    expect(lines.every(line => line !== undefined)).toBe(true)
    expect(new Set(lines).size).toBe(3)
    expect(events[0]!.fields.n).toBe(1)
  })

  it('leaves an event every field, also one whose key objects have of themselves', () => {
    const recorder = open({ engine, caller: true })
    recorder.record('info', 't', 'a', JSON.parse('{"__proto__":1,"n":2}'))
    const { caller, ...fields } = recorder.takeSnapshot()[0]!.fields
    expect(caller).toMatch(/origin\.test\.ts/)
    expect(JSON.stringify(fields)).toBe('{"__proto__":1,"n":2}')
  })

  it('tells the active span, where there is one, and leaves an event what it says itself', () => {
    withContexts()
    const recorder = open({ engine, otel: true, caller: true, maxFields: 1 })
    recorder.record('info', 't', 'outside')
    inSpan(() => {
      recorder.record('info', 't', 'inside', { a: 1, b: 2 })
      recorder.record('info', 't', 'own', { trace_id: 'mine' })
    })
    const [outside, inside, own] = recorder.takeSnapshot().map(event => event.fields)
    expect(outside).not.toHaveProperty('trace_id')
    expect(inside).toMatchObject({ trace_id: SPAN.traceId, span_id: SPAN.spanId, trace_flags: '01', a: 1 })
    expect(inside).not.toHaveProperty('b')
    expect(own).toMatchObject({ trace_id: 'mine', span_id: SPAN.spanId })
  })
})

describe.each(['text', 'records'] as const)('a logger whose recorder is asked, destination of %s', kind => {
  it('tells it in the ring alone', async () => {
    withContexts()
    const directory = tempDir()
    const file = `${directory}/app.log`
    const written: string[] = []
    const stream = { write: (line: string) => void written.push(line) }
    const destination = kind === 'text' ? stream : shardlog.destination({ dest: file, format: 'ndjson' })
    const recorder = { directory, onCrash: false, caller: true, otel: true }
    const log = shardlog({ base: null, recorder }, destination)
    onTestFinished(() => log.close())
    const child = log.child({ module: 'm' })
    for (let i = 0; i < 2; i++) {
      inSpan(() => {
        log.debug({ n: 1 }, 'below')
        log.info({ n: 2 }, 'logged')
        child.error(new Error('bad'))
      })
    }
    log.flushSync()
    const text = kind === 'text' ? written.join('') : fs.readFileSync(file, 'utf8')
    const lines = text.trimEnd().split('\n')
    expect(lines).toHaveLength(4)
    for (const line of lines) expect(Object.keys(JSON.parse(line) as object)).not.toContain('trace_id')
    expect(text).not.toContain('origin.test.ts:"')
    const { events } = readSnapshot(await log.snapshot())
    expect(events.map(event => event.message)).toEqual(['below', 'logged', 'bad', 'below', 'logged', 'bad'])
    for (const { fields } of events) {
      expect(fields).toMatchObject({ trace_id: SPAN.traceId, span_id: SPAN.spanId })
      expect(fields.caller).toMatch(/origin\.test\.ts:\d+/)
    }
    expect(events[2]!.fields).toMatchObject({ module: 'm', err: { type: 'Error', message: 'bad' } })
  })
})
