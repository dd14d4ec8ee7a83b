'use strict'

// What the programs have in common. Each part is text that goes into a program; `pino` is the
// logger's module there.

/**
 * Calls of `log` that between them use a message, fields, placeholders, a child, an error and a
 * level that is off.
 */
const calls = `
log.info('text')
log.warn({ item: 1, nested: { list: [1, 'two'] } }, 'fields and %s', 'more')
log.child({ module: 'db' }).error(new Error('failed'), 'with an error')
log.debug('off')`

/**
 * Requests one page of the server that `start` has listen, and ends the process when its lines are
 * out.
 */
const request = start => `
const http = require('node:http')
const get = port => http.get({ host: '127.0.0.1', port, path: '/page?q=1', agent: false, headers: { 'user-agent': 'compat' } }, response => {
  response.resume()
  response.on('end', () => setTimeout(() => process.exit(), 200))
})
${start}`

/** Prints the lines of files when they have `end` and stay as they are. */
const printing = (end, ...files) => `
const fs = require('node:fs')
const texts = () => ${JSON.stringify(files)}.map(name => (fs.existsSync(name) ? fs.readFileSync(name, 'utf8') : ''))
let last = ''
const poll = setInterval(() => {
  const before = last
  last = texts().join('')
  if (last !== before || !texts().every(text => text.includes('${end}'))) return
  clearInterval(poll)
  console.log(last)
  process.exit()
}, 50)`

/**
 * Two processes: one logs by `start`, and stays, the other has a server on 127.0.0.1 that takes
 * what comes, and prints it when `end` has come.
 *
 * @param start what logs; it has `url` and `port`
 * @param lines JavaScript that makes the lines of a body, a Buffer called `body`, of a request for
 *   `path`; an empty list leaves it out
 * @param reply JavaScript of what is answered, an object
 */
const receiving = (end, start, lines = "String(body).trim().split('\\n')", reply = '{}') => `
const zlib = require('node:zlib')
const { spawn } = require('node:child_process')
if (process.argv[2] === 'log') {
  const port = Number(process.argv[3])
  const url = 'http://127.0.0.1:' + port
  setInterval(() => {}, 1_000)
${start}
} else {
  let logger
  const received = []
  const server = require('node:http').createServer((request, response) => {
    const chunks = []
    const path = request.url
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const sent = Buffer.concat(chunks)
      const body = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(sent) : sent
      received.push(...${lines})
      response.setHeader('content-type', 'application/json')
      response.setHeader('x-elastic-product', 'Elasticsearch')
      response.end(JSON.stringify(${reply}))
      if (!received.join().includes('${end}')) return
      for (const line of received) console.log(line)
      logger.kill('SIGKILL')
      setTimeout(() => process.exit(), 50)
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const args = [__filename, 'log', server.address().port]
    logger = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  })
}`

/** The folder of an installed package, as `home`: packages need not export their package.json. */
const findHome = packageName => `
const fs = require('node:fs')
const path = require('node:path')
let home = __dirname
while (!fs.existsSync(path.join(home, 'node_modules', '${packageName}'))) home = path.dirname(home)
home = path.join(home, 'node_modules', '${packageName}')`

/** Prints what the command of a package makes of a logger's lines on its standard input. */
const piped = (packageName, args = [], text = calls) => `
const { spawn } = require('node:child_process')
if (process.argv[2] === 'log') {
  const log = pino()
${text}
} else {${findHome(packageName)}
  const { bin } = require(path.join(home, 'package.json'))
  const command = path.join(home, typeof bin === 'string' ? bin : Object.values(bin)[0])
  const logger = spawn(process.execPath, [__filename, 'log'], { stdio: ['ignore', 'pipe', 'inherit'] })
  spawn(process.execPath, [command, ...${JSON.stringify(args)}], { stdio: [logger.stdout, 'inherit', 'inherit'] })
}`

/**
 * Runs tests that a package brings along with Node's own runner, in a copy of it that lies in no
 * node_modules, and prints which passed. The name localhost stands for 127.0.0.1 there, also on
 * machines that do not know it.
 *
 * @param files below the package's folder
 */
const suite = (packageName, ...files) => `
const { spawnSync } = require('node:child_process')${findHome(packageName)}
const preload = path.join(__dirname, 'localhost.cjs')
const copy = path.join(__dirname, 'copy')
fs.cpSync(home, copy, { recursive: true })
fs.writeFileSync(preload, \`
const dns = require('node:dns')
const { lookup } = dns
dns.lookup = (name, ...others) => lookup(name === 'localhost' ? '127.0.0.1' : name, ...others)\`)
const args = ['--test', '--test-reporter=tap', ...${JSON.stringify(files)}]
const env = { ...process.env, NODE_OPTIONS: '--require=' + JSON.stringify(preload) }
const { stdout } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', env, maxBuffer: 1 << 28, timeout: 120_000 })
const told = stdout.split('\\n').filter(line => /^ *(not )?ok \\d|^# (tests|pass|fail|cancelled|skipped) /.test(line))
console.log(told.map(line => line.replace(/^( *(?:not )?ok) \\d+/, '$1')).join('\\n'))`

module.exports = { calls, request, printing, receiving, piped, suite }
