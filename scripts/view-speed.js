'use strict'

// Measures `shardlog view --interactive` on a large log, in tmux, as a person would see it:
//
//   node scripts/view-speed.js [GB, default 1]
//
// Prints the time until the first screen, until all is read, of moves and of searches, the CPU time
// of the process until then, and its resident memory. The log is made in the system's directory for
// temporary files, and removed.

const { execFileSync, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { root, runMain } = require('./run')

const SERVER = `shardlog-speed-${process.pid}`
const POLL_MS = 10
const WAIT_MS = 600_000
const LINES_AT_ONCE = 5000
const MESSAGES = [
  'request completed',
  'cache miss',
  'user logged in',
  'price looked up',
  'connection failed',
  'slow query'
]

/** A log of about so many bytes, of lines as services write them; returns how many lines it has. */
function writeLog(file, bytes) {
  const out = fs.openSync(file, 'w')
  let time = 1_764_419_926_000
  let seed = 7
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return seed / 2 ** 32
  }
  let lines = 0
  for (let written = 0; written < bytes; ) {
    let text = ''
    for (let i = 0; i < LINES_AT_ONCE; i++) {
      time += Math.floor(random() * 20)
      const share = random()
      const level = share < 0.002 ? 60 : share < 0.012 ? 50 : share < 0.05 ? 40 : share < 0.7 ? 30 : 20
      const name = ['http', 'db', 'cart'][lines % 3]
      const head = `{"level":${level},"time":${time},"pid":71,"hostname":"web-3","name":"${name}","reqId":"req-${lines.toString(36)}"`
      const fields = `"ms":${(random() * 100).toFixed(2)},"userId":${Math.floor(random() * 1e5)},"path":"/api/items/${Math.floor(random() * 1000)}"`
      text += `${head},${fields},"msg":"${MESSAGES[Math.floor(random() * 6)]}"}\n`
      lines++
    }
    written += fs.writeSync(out, text)
  }
  fs.closeSync(out)
  return lines
}

const tmux = (...args) => execFileSync('tmux', ['-L', SERVER, ...args], { encoding: 'utf8' })
const screen = () => tmux('capture-pane', '-p', '-t', 'main')
const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS)

function until(pattern) {
  const deadline = Date.now() + WAIT_MS
  while (!pattern.test(screen())) {
    if (Date.now() > deadline) throw new Error(`not seen: ${pattern}\n${screen()}`)
    pause()
  }
}

/** CPU time and resident memory of a process; Linux only. */
function usage(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  const [, , ...stat] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  const seconds = (Number(stat[9]) + Number(stat[10])) / 100
  const peak = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024)
  return `CPU ${seconds.toFixed(1)} s, peak memory ${peak} MiB`
}

function measure(file, lines) {
  const command = `exec ${process.execPath} ${path.join(root, 'dist', 'cli', 'main.js')} view -i ${file}`
  const total = lines.toLocaleString('en-US')
  let began = Date.now()
  const tell = what => console.log(`${what.padEnd(34)} ${((Date.now() - began) / 1000).toFixed(2)} s`)
  tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'main', '-x', '120', '-y', '40', command)
  const pid = tmux('list-panes', '-t', 'main', '-F', '#{pane_pid}').trim()
  until(/INFO[\s\S]*events?|events?[\s\S]*INFO/)
  tell('first screen')
  console.log(usage(pid))
  until(new RegExp(`UTC {2}${total} events`))
  tell('all read')
  console.log(usage(pid))
  const act = (what, keys, pattern) => {
    began = Date.now()
    for (const key of keys) tmux('send-keys', '-t', 'main', ...key)
    until(pattern)
    tell(what)
  }
  act('to the last event', [['G']], new RegExp(`${total}/${total}`))
  act('to the first', [['g']], / 1\//)
  act('to the next error', [['e']], / (?!1\/)[\d,]+\/[\d,]+/)
  act('search, to the first match', [['/'], ['-l', 'cache MISS'.toLowerCase()], ['Enter']], /\/cache miss [\s\S]*found/)
  const last = `req-${(lines - 1).toString(36)}"`
  act('search of one event, all searched', [['/'], ['-l', last], ['Enter']], / 1 of 1 /)
  act('search of what is nowhere', [['/'], ['-l', 'nowhere at all'], ['Enter']], /in no event/)
  act('filter by a field, complete', [['w'], ['-l', 'userId=4242'], ['Enter']], /filter userId=4242 {2}/)
  console.log(usage(pid))
}

function main() {
  const bytes = Number(process.argv[2] ?? 1) * 1e9
  if (!(bytes > 0)) throw new Error('usage: node scripts/view-speed.js [GB]')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-speed-'))
  try {
    const file = path.join(folder, 'large.log')
    const lines = writeLog(file, bytes)
    console.log(
      `${(bytes / 1e9).toFixed(1)} GB, ${lines.toLocaleString('en-US')} lines; load ${os.loadavg()[0].toFixed(1)} on ${os.cpus().length} cores`
    )
    measure(file, lines)
  } finally {
    spawnSync('tmux', ['-L', SERVER, 'kill-server'])
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

runMain(main)
