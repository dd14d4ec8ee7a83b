import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { lineWith, startServer, writeProgram } from '../support/recipes'
import { makeProject } from './project'

let project: string
beforeAll(() => {
  project = makeProject('recipes', ['express@5.3.0', 'fastify@5.12.8', 'pino-http@11.0.0'])
})

it('runs the recipe of Express with pino-http', async () => {
  startServer(writeProgram(project, 'express.js'))
  const log = path.join(project, 'access.log')
  const { port } = await lineWith(log, 'listening')
  const response = await fetch(`http://127.0.0.1:${port}/orders/7`)
  expect(await response.json()).toEqual({ id: '7' })
  expect(await lineWith(log, 'order read')).toMatchObject({ level: 30, orderId: '7', req: { url: '/orders/7' } })
  expect(await lineWith(log, 'request completed')).toMatchObject({ res: { statusCode: 200 } })
})

it('runs the recipe of Fastify with redaction', async () => {
  startServer(writeProgram(project, 'fastify.js'))
  const log = path.join(project, 'service.log')
  const port = await fastifyPort(log)
  const user = { name: 'ann', password: 'secret-1', card: { number: 'secret-2' } }
  const response = await fetch(`http://127.0.0.1:${port}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(user)
  })
  expect(await response.json()).toEqual({ name: 'ann' })
  const hidden = { name: 'ann', password: '[hidden]', card: { number: '[hidden]' } }
  expect(await lineWith(log, 'user signed up')).toMatchObject({ user: hidden })
  await lineWith(log, 'request completed')
  expect(fs.readFileSync(log, 'utf8')).not.toContain('secret-')
})

/** The port in the line that Fastify logs when it listens. */
async function fastifyPort(log: string): Promise<string> {
  const { msg } = await lineWith(log, /^Server listening at /)
  return new URL(msg.replace(/^.* /, '')).port
}
