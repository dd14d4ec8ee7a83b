import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { operation } from '../../lib/features/operations'
import { getLoggerStats } from '../../lib/features/plugin'
import { Lru } from '../../lib/lru'
import { destinations, plainLogger } from './support'

/** Line of the call of this function in what runs, which is not what is written here. */
function hereLine(): number {
  const { prepareStackTrace } = Error
  Error.prepareStackTrace = (_error, sites) => sites
  const sites = new Error().stack as unknown as NodeJS.CallSite[]
  Error.prepareStackTrace = prepareStackTrace
  return sites[1]!.getLineNumber()!
}

describe.each(destinations)('caller, %s destination', (_name, make) => {
  it('is file, line and function of the call', () => {
    const { log, lines } = make({ caller: true })
    function handle() {
      log.info({ a: 1 }, 'text')
      return hereLine() - 1
    }
    const line = handle()
    expect(lines()).toEqual([{ level: 30, caller: `${__filename}:${line} (handle)`, a: 1, msg: 'text' }])
  })

  it('is that of the program, whether it calls a child, a compiled event, or an operation', () => {
    const { log, lines } = make({ caller: { field: 'at' } })
    const line = hereLine()
    log.child({}).error(new Error('broken'))
    log.event('event')()
    operation(log, 'work', () => undefined)
    const at = lines().map(each => String(each.at).replace(/ \(.*/, ''))
    expect(at).toEqual([1, 2, 3].map(offset => `${__filename}:${line + offset}`))
  })

  it('is seen through a logMethod hook', () => {
    const logMethod = function (this: unknown, args: unknown[], method: (...args: unknown[]) => void) {
      method.apply(this, args)
    }
    const { log, lines } = make({ caller: true, hooks: { logMethod: logMethod as never } })
    log.info('text')
    const line = hereLine() - 1
    expect(lines()[0]?.caller).toContain(`${__filename}:${line}`)
  })
})

describe('call sites', () => {
  it('are worked out once', () => {
    const log = plainLogger({ caller: true }, { write: () => true })
    for (let i = 0; i < 10; i++) log.info('text')
    log.info('text')
    expect(getLoggerStats(log).caller).toEqual({ hits: 9, misses: 2, cached: 2 })
  })

  it('leave the way stacks are shown as it was', () => {
    const { prepareStackTrace, stackTraceLimit } = Error
    plainLogger({ caller: true }, { write: () => true }).info('text')
    expect(Error.prepareStackTrace).toBe(prepareStackTrace)
    expect(Error.stackTraceLimit).toBe(stackTraceLimit)
  })

  it('are remembered up to a number, those used last', () => {
    const lru = new Lru<string, number>(2)
    lru.set('a', 1)
    lru.set('b', 2)
    expect(lru.get('a')).toBe(1)
    lru.set('c', 3)
    expect([lru.get('a'), lru.get('b'), lru.get('c'), lru.size]).toEqual([1, undefined, 3, 2])
  })
})

it('tells apart functions that stand at the same place of scripts without names', () => {
  const lines: string[] = []
  const log = plainLogger(
    { caller: true },
    { write: line => lines.push((JSON.parse(line) as { caller: string }).caller) }
  )
  const run = (name: string) =>
    vm.runInThisContext(`(function ${name}(log) { log.info('x') })`, { filename: 'same.js' })(log)
  run('one')
  run('two')
  for (const name of ['uno', 'due']) vm.runInThisContext(`(function ${name}(log) { log.info('x') })`)(log)
  run('one')
  expect(lines.map(caller => caller.replace(/.* /, ''))).toEqual(['(one)', '(two)', '(uno)', '(due)', '(one)'])
})
