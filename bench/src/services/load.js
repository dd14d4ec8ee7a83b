'use strict'

const { once } = require('node:events')
const net = require('node:net')
const { setTimeout: sleep } = require('node:timers/promises')

const HEAD_END = Buffer.from('\r\n\r\n')
const OK = Buffer.from('HTTP/1.1 200 ')
const PACE_MS = 2

/**
 * Keep-alive connections to a service on 127.0.0.1, one request at a time on each. The answers to
 * the one request must all be of one length, so that counting bytes is enough: the client takes a
 * fraction of the core that the service takes.
 */
class Load {
  #connections = []
  #request
  /** Answers so far. */
  answers = 0

  constructor(port, path) {
    this.#request = Buffer.from(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`
    )
  }

  static async open(port, path, connections) {
    const load = new Load(port, path)
    load.#connections = await Promise.all(Array.from({ length: connections }, () => load.#connect(port)))
    return load
  }

  async #connect(port) {
    const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
    await once(socket, 'connect')
    const connection = { socket, received: 0, length: 0, waiting: null, onAnswer: null, failed: null }
    socket.on('data', chunk => this.#onData(connection, chunk))
    socket.on('error', error => fail(connection, error))
    socket.on('close', () => fail(connection, new Error('the service closed a connection')))
    return connection
  }

  #onData(connection, chunk) {
    if (connection.received === 0) {
      if (chunk.compare(OK, 0, OK.length, 0, OK.length) !== 0)
        return fail(connection, new Error(`the service answered ${chunk.subarray(0, 40)}`))
      connection.length ||= lengthOf(chunk)
    }
    connection.received += chunk.length
    if (connection.received < connection.length) return
    if (connection.received > connection.length) return fail(connection, new Error('an answer has another length'))
    connection.received = 0
    this.answers++
    connection.onAnswer(connection)
  }

  #send(connection, onAnswer) {
    connection.onAnswer = onAnswer
    connection.socket.write(this.#request)
  }

  /**
   * As many requests as the service answers in `ms`; resolves when the last answer is there.
   * Returns answers and seconds.
   */
  async saturate(ms) {
    const before = this.answers
    const start = performance.now()
    const deadline = start + ms
    await Promise.all(
      this.#connections.map(connection =>
        answered(connection, finish => {
          const next = () => (performance.now() < deadline ? this.#send(connection, next) : finish())
          next()
        })
      )
    )
    return { answers: this.answers - before, seconds: (performance.now() - start) / 1000 }
  }

  /**
   * `rate` requests per second for `ms`, over whichever connections are free. Returns answers and
   * seconds.
   */
  async pace(rate, ms) {
    const before = this.answers
    const free = [...this.#connections]
    const start = performance.now()
    let sent = 0
    while (performance.now() < start + ms) {
      const due = Math.floor(((performance.now() - start) / 1000) * rate)
      for (; sent < due && free.length > 0; sent++) this.#send(free.pop(), connection => free.push(connection))
      await sleep(PACE_MS)
      this.#check()
    }
    while (free.length < this.#connections.length) {
      await sleep(1)
      this.#check()
    }
    return { answers: this.answers - before, seconds: (performance.now() - start) / 1000 }
  }

  #check() {
    const broken = this.#connections.find(({ failed }) => failed)
    if (broken) throw broken.failed
  }

  close() {
    for (const { socket } of this.#connections) socket.removeAllListeners('close').destroy()
  }
}

/** Runs `begin(finish)`, and resolves when it has finished or rejects when the connection fails. */
function answered(connection, begin) {
  return new Promise((resolve, reject) => {
    if (connection.failed) return reject(connection.failed)
    connection.waiting = reject
    begin(resolve)
  })
}

function fail(connection, error) {
  connection.failed ??= error
  connection.waiting?.(connection.failed)
}

/** The bytes of a whole answer, from its first chunk, which holds its head. */
function lengthOf(chunk) {
  const end = chunk.indexOf(HEAD_END)
  const body = /content-length: (\d+)/i.exec(chunk.subarray(0, end).toString('latin1'))?.[1]
  if (end < 0 || !body) throw new Error('an answer without a head or a length')
  return end + HEAD_END.length + Number(body)
}

module.exports = { Load }
