import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { tempLog } from '../support/temp'

/** Messages in a file after a process has run in which a record was repeated three times. */
function messagesAfter(destination: object, end: string): unknown[] {
  const config = { dest: tempLog(), ...destination }
  const script = `
    const log = shardlog({ dedupe: true }, shardlog.destination(config))
    for (let i = 0; i < 4; i++) log.info('text')
    ${end}`
  const { stderr } = runChild(script, { config })
  const lines = fs.readFileSync(config.dest, 'utf8').split('\n').slice(0, -1)
  expect(stderr).not.toMatch(/features/)
  return lines.map(line => (JSON.parse(line) as { msg: unknown }).msg)
}

describe.each([
  ['a text destination', { sync: true }],
  ['a text destination that buffers', { sync: false, minLength: 4096 }],
  ['a recording destination', { format: 'ndjson', crashSafe: false }]
])('repeats held back for %s are told when the process', (_name, destination) => {
  it.each([
    ['ends by itself', ''],
    ['calls process.exit', 'setTimeout(() => process.exit(), 10)'],
    ['is ended by an exception', "setTimeout(() => { throw new Error('broken') }, 10)"]
  ])('%s', (_end, script) => {
    expect(messagesAfter(destination, script)).toEqual(['text', 'last message repeated 3 times'])
  })
})
