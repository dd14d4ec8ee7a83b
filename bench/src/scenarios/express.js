'use strict'

const { serviceScenario } = require('../services/scenario')

module.exports = serviceScenario({
  framework: 'express',
  title: 'An Express service with pino-http',
  service: 'Express with pino-http',
  logger: "pino-http is given the logger; requests per second without logging are those without pino-http's middleware",
  floor: 'pino-http is given it too, so what pino-http itself does for a request is in the floor',
  names: ['a logger that does nothing', 'shardlog ndjson', 'pino async', 'pino worker'],
  warmup: 4000,
  rate: 1000,
  bound: '≤ 0.4',
  within: (own, pino) => own <= 0.4 * pino
})
