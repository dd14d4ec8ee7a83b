'use strict'

const ENTRY_BYTES = 100

/**
 * A flat one-byte string of exactly `bytes` printable ASCII characters, as an access line would be.
 */
function asciiText(bytes = ENTRY_BYTES) {
  const line = '127.0.0.1 - - [21/Nov/2026:04:00:00 +0000] "GET /api/items/42 HTTP/1.1" 200 512 "-" "agent/1.0" 1.234 '
  return Buffer.from(line.repeat(Math.ceil(bytes / line.length)))
    .subarray(0, bytes)
    .toString('latin1')
}

/** The same as a Buffer alone in its memory, so that a Uint32Array can be laid over its start. */
function asciiBytes(bytes = ENTRY_BYTES) {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  buffer.write(asciiText(bytes), 'latin1')
  return buffer
}

module.exports = { ENTRY_BYTES, asciiText, asciiBytes }
