'use strict'

/**
 * `npm run demo:crash`: a service dies of a real bug while it is asked for quotes. What its log
 * says of it, and what its flight recorder says. Some seconds; leaves nothing behind.
 */
const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { readSnapshot } = require('../..')
const { cli } = require('../cli')
const { heading, fact, line, verdict, count } = require('../print')

const CURRENCIES = ['USD', 'GBP', 'JPY', 'CHF']
const PAUSE_MS = 2
/** The bug shows within two seconds; a machine may be slow. */
const LIMIT_MS = 30_000

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-demo-crash-'))
  try {
    process.exitCode = (await play(folder)) ? 0 : 1
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Asks for quotes until nobody answers; how many there were. */
async function askUntilItDies(port) {
  for (let n = 0; ; n++) {
    const currency = CURRENCIES[n % CURRENCIES.length]
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/?currency=${currency}&amount=${100 + n}`)
      await answer.json()
    } catch {
      return n // What the demo waits for: the service has died.
    }
    await sleep(PAUSE_MS)
  }
}

/** The whole story; true if the recorder tells what happened. */
async function play(folder) {
  heading('A service that converts currencies')
  const service = fork(path.join(__dirname, 'service.js'), [folder], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  const timer = setTimeout(() => service.kill('SIGKILL'), LIMIT_MS)
  let last = ''
  service.stderr.setEncoding('utf8').on('data', text => {
    last += text
  })
  const ended = once(service, 'exit')
  const [{ port }] = await once(service, 'message')
  line(`process ${service.pid}; its log has level 'info', its recorder has all`)
  const answered = await askUntilItDies(port)
  const [code, signal] = await ended
  clearTimeout(timer)
  fact('quotes that were answered', count(answered))
  fact('the service ended with', String(code ?? signal))
  fact('its last words', last.match(/TypeError: .*/)?.[0] ?? 'none')

  heading('What the log says')
  await cli(folder, ['cat', 'quotes.log'])

  heading('What the recorder says')
  const names = fs.readdirSync(folder).filter(name => name.endsWith('.bin'))
  for (const name of names) fact(name, `${count(fs.statSync(path.join(folder, name)).size)} bytes`)
  await cli(folder, ['view', ...names])
  const { events } = readSnapshot(path.join(folder, names[0]))
  // The refresh that never came to its end, and what follows it.
  const began = events.findLast(event => event.message === 'rates are renewed')
  const since = new Date(Number(began.time / 1_000_000n) - 20).toISOString()
  await cli(folder, ['view', '--list', '--since', since, ...names])
  const { fields } = events.findLast(event => event.message === 'quote asked for')
  const isTold = began.fields.entries === CURRENCIES.length && fields.entries === 0 && events.at(-1).level === 'fatal'
  verdict(isTold, 'The table of rates was empty: it is cleared before the new ones are there.')
  return isTold
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
