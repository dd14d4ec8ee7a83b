'use strict'

/**
 * The service under load, in a process of its own. Each call leaves two entries: the request as it
 * came, through logBytes, and a line about the call, through log. Both are there before the answer
 * is sent. Every second the parent hears how the logger and the process are.
 */
const fs = require('node:fs')
const { grpc, loadMethod } = require('./grpc-service')
const subject = require('../src/subject')

const SAMPLE_INTERVAL_MS = 1000

function sample(logger, served) {
  const cpu = process.cpuUsage()
  const io = /^write_bytes: (\d+)$/m.exec(fs.readFileSync('/proc/self/io', 'utf8'))
  return {
    atMs: performance.now(),
    cpuMs: (cpu.user + cpu.system) / 1000,
    rssBytes: process.memoryUsage.rss(),
    deviceBytes: Number(io?.[1]),
    served,
    stats: logger.getStatsSnapshot(),
    flushes: logger.getFlushMetrics(),
    shards: logger.getShardStats()
  }
}

process.once('message', ({ options, file }) => {
  const logger = subject.open(file, { bufferSize: options.bufferMb * 1024 * 1024 })
  const { service, method } = loadMethod(options)
  let served = 0
  const handle = (call, respond) => {
    logger.logBytes(method.requestSerialize(call.request))
    logger.log(`${new Date().toISOString()} ${method.path} ${call.getPeer()} call=${served++} status=OK`)
    respond(null, {})
  }
  const server = new grpc.Server()
  const refuse = (_, respond) => respond({ code: grpc.status.UNIMPLEMENTED })
  const handlers = Object.fromEntries(
    Object.keys(service).map(name => [name, service[name] === method ? handle : refuse])
  )
  server.addService(service, handlers)
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error
    process.send({ port })
  })
  const samples = setInterval(() => process.send({ sample: sample(logger, served) }), SAMPLE_INTERVAL_MS)
  process.once('message', async () => {
    clearInterval(samples)
    server.forceShutdown()
    await logger.close()
    process.send({ sample: sample(logger, served), last: true }, () => process.exit(0))
  })
  process.once('disconnect', () => process.exit(1))
})
