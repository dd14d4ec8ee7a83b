import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { shardlog } from '../support/shardlog'

const page = fs.readFileSync(path.join(__dirname, '..', '..', 'docs', 'reference', 'handles.md'), 'utf8')
const [head = [], , ...rows] = [...page.matchAll(/^\| (.*) \|$/gm)].map(match =>
  (match[1] as string).split('|').map(cell => cell.trim())
)

let directory: string
let handles: Record<string, object>
let end: () => Promise<unknown>

beforeAll(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-handles-'))
  const file = (name: string) => path.join(directory, name)
  const raw = new shardlog.Logger({ logFilePath: file('raw.log') })
  const log = shardlog({}, shardlog.destination({ dest: file('log.log'), format: 'ndjson' }))
  const engine = shardlog.destination({ dest: file('engine.log'), format: 'ndjson' })
  const stream = shardlog.destination(file('stream.log'))
  await new Promise(resolve => stream.once('ready', resolve))
  const breaker = shardlog.circuitBreaker({ write: () => true })
  handles = { Logger: raw, log, engine, stream, multistream: shardlog.multistream([]), breaker }
  end = async () => {
    const ended = new Promise(resolve => engine.once('close', resolve))
    engine.end()
    stream.destroy()
    await Promise.all([raw.close(), log.close(), ended])
  }
})
afterAll(async () => {
  await end()
  fs.rmSync(directory, { recursive: true, force: true })
})

it('the page of handles names each of them', () => {
  expect(head.slice(1)).toEqual(Object.keys(handles))
  expect(rows.length).toBeGreaterThan(10)
})

it.each(rows.map(([names = '', ...cells]) => ({ names, cells })))(
  'has $names where the page says so',
  ({ names, cells }) => {
    const has = (handle: object) => (name: string) => typeof (handle as Record<string, unknown>)[name] === 'function'
    const methods = [...names.matchAll(/`(\w+)`/g)].map(match => match[1] as string)
    for (const [index, handle] of Object.values(handles).entries())
      expect({ handle: head[index + 1], has: methods.map(has(handle)) }).toEqual({
        handle: head[index + 1],
        has: methods.map(() => cells[index] === 'yes')
      })
  }
)
