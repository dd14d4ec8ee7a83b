'use strict'

// A collector of OpenTelemetry on 127.0.0.1, for tests: receives OTLP over HTTP and writes what it
// took to a file, as JSON. It is built by Go from modules of the module proxy, once, into
// build/otel-collector; that takes some minutes, so it is only done when it is asked for:
//
//   node scripts/otel-collector.js         builds it

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { answers, freePorts } = require('./ports')

const VERSION = 'v0.120.0'
const folder = path.join(__dirname, '..', 'build', 'otel-collector', VERSION)
const program = path.join(folder, 'otel-collector')
const START_MS = 60_000
const LOOK_MS = 50

const manifest = `dist:
  name: otel-collector
  output_path: ${folder}
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver ${VERSION}
exporters:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter ${VERSION}
`

/** Why there is no collector to be run here; null if there is one. */
function missing() {
  return fs.existsSync(program) ? null : 'no collector is built (node scripts/otel-collector.js)'
}

function build() {
  fs.mkdirSync(folder, { recursive: true })
  const config = path.join(folder, 'manifest.yaml')
  fs.writeFileSync(config, manifest)
  const args = ['run', `go.opentelemetry.io/collector/cmd/builder@${VERSION}`, '--config', config]
  const env = { ...process.env, GOFLAGS: '-mod=mod' }
  const { status, error } = spawnSync('go', args, { cwd: folder, env, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) throw new Error(`go ended with ${status}`)
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** A collector, with what it has taken in a file. */
class OtelCollector {
  #child

  constructor(child, url, file) {
    this.#child = child
    this.url = url
    this.file = file
  }

  /** @param place a folder for its configuration and its file */
  static async start(place) {
    const [port] = await freePorts(1)
    const file = path.join(place, 'taken.json')
    const config = {
      receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
      exporters: { file: { path: file } },
      service: {
        pipelines: { logs: { receivers: ['otlp'], exporters: ['file'] } },
        telemetry: { metrics: { level: 'none' } }
      }
    }
    // JSON is YAML.
    const configFile = path.join(place, 'collector.yaml')
    fs.writeFileSync(configFile, JSON.stringify(config))
    const out = fs.openSync(path.join(place, 'collector.out'), 'a')
    const child = spawn(program, ['--config', configFile], { stdio: ['ignore', out, out] })
    fs.closeSync(out)
    const collector = new OtelCollector(child, `http://127.0.0.1:${port}`, file)
    for (const end = Date.now() + START_MS; Date.now() < end && child.exitCode === null; await pause(LOOK_MS))
      if (await answers(port)) return collector
    await collector.stop()
    throw new Error(`the collector does not start:\n${fs.readFileSync(path.join(place, 'collector.out'), 'utf8')}`)
  }

  /** Ends it, when it has written all that it has taken. */
  async stop() {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }

  /** The log records that it has taken, as OTLP's JSON has them, with the names of their scopes. */
  records() {
    return fs
      .readFileSync(this.file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .flatMap(line => JSON.parse(line).resourceLogs)
      .flatMap(({ scopeLogs }) => scopeLogs)
      .flatMap(({ scope = {}, logRecords }) => logRecords.map(record => ({ scope: scope.name ?? '', ...record })))
  }
}

module.exports = { OtelCollector, missing }

if (require.main === module) build()
