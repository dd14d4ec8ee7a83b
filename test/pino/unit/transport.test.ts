import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../support/shardlog'
import { tempDir } from '../../support/temp'

/**
 * Runs a program that has the package as `shardlog`, in a folder of its own; returns what it
 * prints.
 */
function run(source: string, prepare: (directory: string) => void = () => {}): string {
  const directory = fs.realpathSync(tempDir())
  fs.mkdirSync(path.join(directory, 'node_modules'))
  prepare(directory)
  const file = path.join(directory, 'main.js')
  fs.writeFileSync(file, `const shardlog = require(${JSON.stringify(packageRoot)})\n${source}`)
  return execFileSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' })
}

const messages = (printed: string): unknown[] =>
  printed
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as { msg: unknown }).msg)

describe('a transport', () => {
  it.each(['shardlog/file', 'pino/file'])('writes to standard output by default as %s', target => {
    expect(messages(run(`shardlog(shardlog.transport({ target: '${target}' })).info('text')`))).toEqual(['text'])
  })

  it('writes what was logged before the process exits, ready or not', () => {
    const source = `const log = shardlog({ transport: { target: 'shardlog/file' } })
      for (let at = 0; at < 1000; at++) log.info(String(at))
      process.exit()`
    expect(messages(run(source))).toEqual(Array.from({ length: 1_000 }, (_, at) => String(at)))
  })

  it('is looked up from the file that asks for it', () => {
    const install = (directory: string) => {
      const folder = path.join(directory, 'node_modules', 'my-transport')
      fs.mkdirSync(folder)
      fs.writeFileSync(
        path.join(folder, 'index.js'),
        `const { Writable } = require('node:stream')
        module.exports = ({ prefix }) => new Writable({
          write(chunk, encoding, done) { require('node:fs').writeSync(1, prefix + chunk); done() }
        })`
      )
    }
    for (const options of [
      "{ transport: { target: 'my-transport', options: { prefix: ' ' } } }",
      "shardlog.transport({ target: 'my-transport', options: { prefix: ' ' } })"
    ]) {
      expect(messages(run(`shardlog(${options}).info('text')`, install))).toEqual(['text'])
    }
  })

  it('that cannot be found is an error that names it', () => {
    const source = `try { shardlog.transport({ target: 'nowhere' }) } catch (error) { console.log(error.message) }`
    expect(run(source)).toBe('unable to determine transport target for "nowhere"\n')
  })

  it('with several targets gives each the records of its level, and with dedupe the highest alone', () => {
    const source = (dedupe: boolean) => `const targets = [
        { target: 'shardlog/file', options: { destination: 'all.log' } },
        { target: 'shardlog/file', options: { destination: 'errors.log' }, level: 'error' }
      ]
      const stream = shardlog.transport({ targets, dedupe: ${dedupe} })
      const log = shardlog(stream)
      log.info('one')
      log.error('two')
      const alive = setTimeout(() => {}, 20_000)
      stream.on('close', () => {
        clearTimeout(alive)
        for (const name of ['all', 'errors']) process.stdout.write(require('node:fs').readFileSync(name + '.log'))
      })
      stream.on('ready', () => stream.end())`
    expect(messages(run(source(false)))).toEqual(['one', 'two', 'two'])
    expect(messages(run(source(true)))).toEqual(['one', 'two'])
  })
})
