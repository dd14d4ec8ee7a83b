/** Requests and responses of `node:http` that are logged by themselves become `{ req }` and `{ res }`. */

import { mapHttpRequest, mapHttpResponse } from 'pino-std-serializers'

interface Suspect {
  method?: unknown
  headers?: unknown
  socket?: unknown
  setHeader?: unknown
}

const isRequest = ({ method, headers, socket }: Suspect): boolean => Boolean(method && headers && socket)
const isResponse = ({ setHeader }: Suspect): boolean => typeof setHeader === 'function'

/** Whether `loggedObject` makes another object of it. */
export function isHttpObject(object: object): boolean {
  return isRequest(object) || isResponse(object)
}

/** The object whose fields join the line. */
export function loggedObject(object: object): object {
  const suspect = object as Suspect
  // Written out rather than called: this is in the path of every call.
  if (suspect.method && suspect.headers && suspect.socket) {
    return mapHttpRequest(object as Parameters<typeof mapHttpRequest>[0])
  }
  if (typeof suspect.setHeader === 'function') {
    return mapHttpResponse(object as Parameters<typeof mapHttpResponse>[0])
  }
  return object
}
