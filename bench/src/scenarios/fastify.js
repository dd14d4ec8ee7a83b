'use strict'

const { serviceScenario } = require('../services/scenario')

module.exports = serviceScenario({
  framework: 'fastify',
  title: 'A Fastify service',
  service: 'Fastify with request logging',
  logger: 'the logger is its loggerInstance',
  names: [
    'a logger that does nothing',
    'shardlog ndjson',
    'shardlog stdout',
    'pino default',
    'pino async',
    'pino worker'
  ],
  warmup: 1500,
  rate: 3000,
  bound: '≤ 1/3, ≤ 4 µs',
  within: (own, pino) => own <= pino / 3 && own <= 4
})
