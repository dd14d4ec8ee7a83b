import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { linesOf } from '../support/recipes'
import { makeProject } from './project'

const EXAMPLES = path.join(__dirname, '..', '..', 'examples', 'flight-recorder')

let project: string
beforeAll(() => {
  project = makeProject('examples', ['express@5.3.0', 'fastify@5.12.8', 'cbor-x@1.6.9', 'lz4-napi@2.10.0'])
})

/** Starts a server of the examples in the project on any free port. */
async function startExample(name: string, directory: string): Promise<{ child: ChildProcess; url: string }> {
  const file = path.join(project, name)
  fs.copyFileSync(path.join(EXAMPLES, name), file)
  const env = { ...process.env, PORT: '0' }
  const child = spawn(process.execPath, [file, directory], { cwd: project, env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let told = ''
  while (!told.includes('\n')) {
    const [some] = (await once(child.stdout!, 'data')) as [Buffer]
    told += some.toString()
  }
  return { child, url: told.replace(/^listening at /, '').trim() }
}

it.each([
  ['server-fastify.js', 'order looked up'],
  ['server-express.js', 'request']
])('runs %s: a request that fails leaves a snapshot with what was below the level of the log', async (name, below) => {
  const directory = fs.mkdtempSync(path.join(project, 'of-'))
  const { child, url } = await startExample(name, directory)
  expect(await (await fetch(`${url}/orders/7`)).json()).toEqual({ id: '7' })
  const failed = await fetch(`${url}/orders/13`)
  const { error, snapshot } = (await failed.json()) as { error: string; snapshot: string }
  expect([failed.status, error]).toEqual([500, 'order 13 is broken'])
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect((await ended)[0]).toBe(0)
  const script = `
const { events } = require('shardlog').readSnapshot(process.argv[1])
console.log(JSON.stringify(events.map(({ level, target, message }) => ({ level, target, message }))))`
  const reader = spawn(process.execPath, ['-e', script, path.join(directory, snapshot)], { cwd: project })
  const [told] = (await once(reader.stdout, 'data')) as [Buffer]
  const events = JSON.parse(told.toString()) as { level: string; target: string; message: string }[]
  expect(events).toContainEqual({ level: 'debug', target: 'orders', message: below })
  expect(events).toContainEqual({ level: 'error', target: 'orders', message: 'order 13 is broken' })
  expect(events).toContainEqual({ level: 'info', target: 'console', message: `listening at ${url}` })
  expect(linesOf(path.join(directory, 'orders.log')).map(line => line.msg)).not.toContain(below)
})
