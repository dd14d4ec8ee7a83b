'use strict'

const path = require('node:path')
const { parseArgs } = require('node:util')

const HELP = `usage: npm run loadtest [-- options]

  --proto-file FILE   the service's definition (default: bench/loadtest/shop.proto)
  --grpc-call NAME    package.Service.Method, or package.Service/Method; unary
                      (default: shardlog.loadtest.Shop.PlaceOrder)
  --data JSON         the request message (default: every scalar field filled)
  --duration TIME     30s, 5m, 1h (default 30s)
  --rps N             calls per second (default 1000)
  --threads N         calls in flight at most (default 50)
  --buffer-mb N       bufferSize of the logger in MiB (default 64)
  --help              this text

The report goes to bench/results/loadtest-TIME/: report.json, report.html, timeline.csv.`

const UNITS = { s: 1, m: 60, h: 3600 }

/** '30s', '5m', '1h' or a number of seconds, in seconds. */
function seconds(text) {
  const match = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text)
  const value = match && Number(match[1]) * (UNITS[match[2]] ?? 1)
  if (!value) throw new Error(`--duration takes a time such as 30s, 5m or 1h; it was given '${text}'`)
  return value
}

function positive(name, text, least = 1) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least) {
    throw new Error(`--${name} takes a whole number from ${least}; it was given '${text}'`)
  }
  return value
}

/** 'package.Service.Method' or 'package.Service/Method', parted. */
function callName(text) {
  const match = /^(.+)[./]([A-Za-z_]\w*)$/.exec(text)
  if (!match) throw new Error(`--grpc-call takes package.Service.Method; it was given '${text}'`)
  return { service: match[1], method: match[2] }
}

function message(text) {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`--data takes a JSON object: ${error.message}`, { cause: error })
  }
}

/** The options, checked; null if help was asked for. */
function readOptions(args) {
  const text = name => ({ [name]: { type: 'string' } })
  const names = ['proto-file', 'grpc-call', 'data', 'duration', 'rps', 'threads', 'buffer-mb']
  const { values } = parseArgs({
    args,
    options: { ...Object.assign({}, ...names.map(text)), help: { type: 'boolean' } }
  })
  if (values.help) return null
  return {
    protoFile: path.resolve(values['proto-file'] ?? path.join(__dirname, 'shop.proto')),
    call: callName(values['grpc-call'] ?? 'shardlog.loadtest.Shop.PlaceOrder'),
    data: message(values.data),
    seconds: seconds(values.duration ?? '30s'),
    rps: positive('rps', values.rps ?? '1000'),
    threads: positive('threads', values.threads ?? '50'),
    bufferMb: positive('buffer-mb', values['buffer-mb'] ?? '64')
  }
}

module.exports = { readOptions, HELP }
