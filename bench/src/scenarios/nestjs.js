'use strict'

const { serviceScenario } = require('../services/scenario')

module.exports = serviceScenario({
  framework: 'nestjs',
  title: 'A NestJS service with nestjs-pino',
  service: 'NestJS with nestjs-pino',
  logger:
    "LoggerModule.forRoot({ pinoHttp: { logger } }), Nest on Express; requests per second without logging are those of Nest's logger: false without this module",
  floor:
    'nestjs-pino is given it too, so what pino-http and nestjs-pino (a store of AsyncLocalStorage) themselves do for a request is in the floor',
  names: ['a logger that does nothing', 'shardlog ndjson', 'pino async', 'pino worker'],
  warmup: 4000,
  rate: 1000,
  bound: '≤ 0.4',
  within: (own, pino) => own <= 0.4 * pino
})
