import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { engines } from '../support/engines'
import { tempLog } from '../support/temp'
import { expectOnce, type Kind, kinds, Victim } from './support'

const PROGRAMS = 3
const NOTES = 400

/**
 * Appends whole lines by one call each, as `>>` of a shell or another logger does; some at once,
 * then it waits for its turn.
 */
const NOTER = `
const fs = require('node:fs')
const [file, name] = process.argv.slice(1)
const fd = fs.openSync(file, 'a')
let i = 0
;(function step() {
  for (let k = 0; k < 5 && i < ${NOTES}; k++, i++) fs.writeSync(fd, 'note ' + name + ' ' + i + ' ' + 'z'.repeat(i % 90) + '\\n')
  if (i < ${NOTES}) setTimeout(step, 1)
})()
`

const notesOf = (name: string): string[] =>
  Array.from({ length: NOTES }, (_, i) => `note ${name} ${i} ${'z'.repeat(i % 90)}`)

function startNoter(file: string, name: string): Promise<unknown[]> {
  const child = spawn(process.execPath, ['-e', NOTER, file, name], { stdio: ['ignore', 'inherit', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return once(child, 'exit')
}

/** Flushes of some lines, of some MiB, and of lines that are long. */
const loads: [string, { options: object; width?: number; count: number }][] = [
  ['small flushes', { options: { bufferSize: 1 << 18, flushInterval: 1 }, count: 20_000 }],
  ['flushes of megabytes', { options: { bufferSize: 32 << 20, flushInterval: 100 }, count: 80_000 }],
  ['long lines', { options: { bufferSize: 1 << 20, flushInterval: 5 }, width: 6_000, count: 4_000 }]
]

const cases = engines.flatMap(engine => loads.map(([name, load]) => ({ engine, name, ...load })))

describe.each(cases)(
  '$engine engine, $name, beside programs that append to the log',
  ({ engine, options, width, count }) => {
    it.each(kinds)('%s: no line of either is lost, cut or mixed', async (kind: Kind) => {
      const file = tempLog()
      fs.writeFileSync(file, '')
      const names = Array.from({ length: PROGRAMS }, (_, i) => `program-${i}`)
      const victim = new Victim({ kind, file, first: 0, count, width, options: { engine, ...options } })
      await victim.opened()
      const programs = names.map(name => startNoter(file, name))
      const logged = await victim.end()
      for (const program of programs) expect((await program)[0]).toBe(0)
      await expectOnce([file], kind, [logged])
      const text = fs.readFileSync(file, 'latin1')
      const found = text.split('\n').map(line => /note program-\d+ \d+ z*$/.exec(line)?.[0])
      for (const name of names) {
        const ofProgram = found.filter(line => line?.startsWith(`note ${name} `))
        expect(ofProgram).toEqual(notesOf(name))
      }
    })
  }
)
