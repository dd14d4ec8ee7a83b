'use strict'

/**
 * Eight processes, each with a recorder of its own, pass a job from one to the next. One of them is
 * killed on the way. Its ring is still there: a later process makes a snapshot of it, and all
 * snapshots are looked into as one.
 *
 *   node distributed.js [DIRECTORY]
 */
const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Recorder, readSnapshot } = require('shardlog')

const NODES = 8
const ROUNDS = 50
/** The node that is killed, and the round in which it is. */
const VICTIM = { node: 5, round: 30 }

/** Each process's own ring: by default a service has one name, and its processes a number. */
const optionsOf = (directory, node) => ({
  service: 'pipeline',
  directory,
  path: path.join(directory, `.node-${node}.recorder`)
})

function runNode(node, directory) {
  const recorder = new Recorder(optionsOf(directory, node))
  process.on('message', async ({ round, end }) => {
    if (end) {
      process.send({ file: await recorder.snapshot('end') })
      process.disconnect()
      return
    }
    recorder.record('debug', `node-${node}`, 'job taken', { round })
    for (let step = 0; step < 5; step++) recorder.record('trace', `node-${node}`, 'step', { round, step })
    recorder.record('debug', `node-${node}`, 'job passed on', { round })
    process.send({ round })
  })
  process.send({ ready: true })
}

/** Sends to a node and waits for its answer; null if it has died. */
async function ask(child, message) {
  const end = new AbortController()
  const next = event => once(child, event, { signal: end.signal })
  const answers = [next('message'), next('exit').then(() => null)]
  // To one that has just died nothing can be sent, of which its exit tells.
  child.send(message, () => undefined)
  const got = await Promise.race(answers)
  end.abort()
  await Promise.allSettled(answers)
  return got === null ? null : got[0]
}

async function main() {
  const directory = fs.mkdtempSync(path.join(process.argv[2] ?? os.tmpdir(), 'distributed-'))
  const nodes = Array.from({ length: NODES }, (_, node) => fork(__filename, ['node', String(node), directory]))
  await Promise.all(nodes.map(child => once(child, 'message')))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [node, child] of nodes.entries()) {
      if (node === VICTIM.node && round === VICTIM.round) child.kill('SIGKILL')
      if (child.connected) await ask(child, { round })
    }
  }
  const files = []
  for (const child of nodes) if (child.connected) files.push((await ask(child, { end: true })).file)
  // What the next start does by itself with the same path.
  const next = new Recorder(optionsOf(directory, VICTIM.node))
  files.push(...(await next.harvested))
  next.close()
  report(files)
}

/** All events of all processes by time. */
function report(files) {
  const snapshots = files.map(file => readSnapshot(file))
  const events = snapshots
    .flatMap(({ pid, events: own }) => own.map(event => ({ pid, ...event })))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  const last = events.findLast(event => event.target === `node-${VICTIM.node}`)
  console.log(
    `${files.length} snapshots, ${events.length} events of ${new Set(events.map(({ pid }) => pid)).size} processes`
  )
  console.log(`the last of node ${VICTIM.node}: ${last.message}, round ${last.fields.round}`)
  console.log(`shardlog view --list ${files.map(file => path.relative('.', file)).join(' ')}`)
}

if (process.argv[2] === 'node') runNode(Number(process.argv[3]), process.argv[4])
else main()
