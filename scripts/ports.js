'use strict'

// Ports of 127.0.0.1 for the servers that tests start: free ones, and whether somebody answers.

const net = require('node:net')

/** Ports that nobody listened to a moment ago, all different. */
async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, listening))
  const ports = servers.map(server => server.address().port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

function listening() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

/** Whether a connection to the port is taken. */
function answers(port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1')
    const done = answered => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('connect', () => done(true)).on('error', () => done(false))
  })
}

module.exports = { freePorts, answers }
