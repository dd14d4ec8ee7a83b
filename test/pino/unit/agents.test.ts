import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.join(__dirname, '..', '..', '..')

/**
 * Adds to each message and counts the lines, as soon as it is given the calls of `asJson` of
 * `lib/tools.js`.
 */
const agent = `
const Module = require('node:module')
const compile = Module.prototype._compile
let lines = 0
globalThis.follow = (args, make) => {
  if (args[1] !== undefined) args[1] += ' by the agent'
  lines++
  return make()
}
process.on('exit', () => console.log('lines: ' + lines))`

const isTools = '/[\\\\/]lib[\\\\/]tools\\.js$/'

/**
 * The two ways of agents: a longer function around it in the text of the file, or another one in
 * what the file exports.
 */
const ways = [
  [
    'rewrites',
    `
const around = 'function asJson () { /*' + ' '.repeat(400) + '*/ return follow(arguments, () => original.apply(this, arguments)) }'
Module.prototype._compile = function (text, file, ...others) {
  const rewritten = ${isTools}.test(file) ? text.replace(/function asJson ?\\(/, 'function original (') + around : text
  return compile.call(this, rewritten, file, ...others)
}`
  ],
  [
    'replaces',
    `
Module.prototype._compile = function (text, file, ...others) {
  compile.call(this, text, file, ...others)
  const { asJson } = this.exports
  if (!${isTools}.test(file) || !asJson) return
  this.exports.asJson = function (...args) { return follow(args, () => asJson.apply(this, args)) }
}`
  ]
] as const

/** What a program prints whose logger's module is loaded after the agent. */
function printed(way: string, module: string, destination: string): string[] {
  const program = `${agent}${way}
const pino = require(${JSON.stringify(module)})
const log = pino({ base: null, timestamp: false }, ${destination})
for (let i = 0; i < 2; i++) log.info('text')
for (let i = 0; i < 2; i++) log.child({ c: 1 }).info({ a: i }, 'fields')
log.info({ a: 1 })`
  return execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }).trim().split('\n').sort()
}

const ours = path.join(root, 'dist', 'index.js')

const destinations = [
  ['a stream', '{ write: line => process.stdout.write(line) }'],
  ['standard output', 'undefined']
] as const

describe.each(ways)('an agent that %s the function by which pino makes lines', (_way, way) => {
  it.each(destinations)('sees and changes each line, to %s', (_name, destination) => {
    const lines = printed(way, ours, destination)
    expect(lines).toEqual(printed(way, require.resolve('pino'), destination))
    expect(lines).toContain('{"level":30,"c":1,"a":1,"msg":"fields by the agent"}')
    expect(lines).toContain('lines: 5')
  })
})

it('the function is in the package at the place of pino’s', () => {
  const { files } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { files: string[] }
  expect(files).toContain('lib/tools.js')
  expect(fs.existsSync(path.join(root, 'lib', 'tools.js'))).toBe(true)
})
