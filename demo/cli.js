'use strict'

const { spawn } = require('node:child_process')
const path = require('node:path')
const { command, indented } = require('./print')

const PROGRAM = path.join(__dirname, '..', 'dist', 'cli', 'main.js')

/** Runs `shardlog` with the arguments in a folder, and shows the call and what it prints. */
async function cli(folder, args) {
  command(`shardlog ${args.join(' ')}`)
  await show(spawn(process.execPath, [PROGRAM, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** As cli, into another program: the reader that leaves early is part of the show. */
async function cliPipeline(folder, args, next) {
  command(`shardlog ${args.join(' ')} | ${next}`)
  const quoted = [process.execPath, PROGRAM, ...args].map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  await show(spawn('sh', ['-c', `${quoted} | ${next}`], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }))
}

async function show(child) {
  const chunks = []
  child.stdout.on('data', chunk => chunks.push(chunk))
  child.stderr.on('data', chunk => chunks.push(chunk))
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  indented(Buffer.concat(chunks).toString())
  if (code !== 0) throw new Error(`the command ended with ${code}`)
}

module.exports = { cli, cliPipeline }
