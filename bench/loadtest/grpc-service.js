'use strict'

const grpc = require('@grpc/grpc-js')
const protoLoader = require('@grpc/proto-loader')

const SAMPLE_TEXT = 'a value of ordinary length'
const FIELD = {
  string: 'TYPE_STRING',
  bytes: 'TYPE_BYTES',
  bool: 'TYPE_BOOL',
  message: 'TYPE_MESSAGE',
  group: 'TYPE_GROUP'
}

/**
 * The definition of one method of a proto file. Throws if there is no such method or it is not
 * unary.
 */
function loadMethod({ protoFile, call }) {
  const definition = protoLoader.loadSync(protoFile, { keepCase: true, defaults: true, longs: String, enums: String })
  const service = definition[call.service]
  if (!service || service.format) throw new Error(`${protoFile} has no service ${call.service}`)
  const method = service[call.method]
  if (!method) throw new Error(`${call.service} has ${Object.keys(service).join(', ')}, and no ${call.method}`)
  if (method.requestStream || method.responseStream)
    throw new Error(`${call.method} is a stream; the load test makes unary calls`)
  return { service, method }
}

/** A request with every scalar field filled, so that it has a size like a real one's. */
function sampleRequest(method) {
  const request = {}
  for (const { name, type, label } of method.requestType.type.field) {
    if (type === FIELD.message || type === FIELD.group || label === 'LABEL_REPEATED') continue
    if (type === FIELD.string) request[name] = SAMPLE_TEXT
    else if (type === FIELD.bytes) request[name] = Buffer.from(SAMPLE_TEXT)
    else if (type === FIELD.bool) request[name] = true
    else if (type !== 'TYPE_ENUM') request[name] = 42
  }
  return request
}

module.exports = { grpc, loadMethod, sampleRequest }
