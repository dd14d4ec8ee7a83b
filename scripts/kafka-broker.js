'use strict'

// A broker of Apache Kafka on 127.0.0.1, for tests, the benchmark and the demonstration. Its jars
// come by Maven, once, into build/kafka. The server runs in KRaft mode, alone, with 512 MB.
//
//   node scripts/kafka-broker.js           starts one, prints its address, and stops it at Ctrl-C

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { answers, freePorts } = require('./ports')

const VERSION = '3.9.1'
const SLF4J = '1.7.36'
const jars = path.join(__dirname, '..', 'build', 'kafka', VERSION)
const MAVEN_MS = 600_000
const START_MS = 120_000
const STOP_MS = 30_000
const LOOK_MS = 200
/** The kernel's unit of processor time. */
const TICK_MS = 10
const LOGIN_MODULES = 'org.apache.kafka.common.security'

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>shardlog</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>${SLF4J}</version></dependency>
</dependencies></project>
`

const runs = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** What is missing to run a broker here; null if nothing is. */
function missing() {
  if (!runs('java', ['-version'])) return 'java is not installed'
  if (fs.existsSync(path.join(jars, 'complete'))) return null
  return runs('mvn', ['-v']) ? null : 'maven is not installed'
}

/** Fetches the jars, unless they are there. */
function fetchJars() {
  if (fs.existsSync(path.join(jars, 'complete'))) return
  fs.mkdirSync(jars, { recursive: true })
  fs.writeFileSync(path.join(jars, 'pom.xml'), pom)
  const args = ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${path.join(jars, 'lib')}`]
  const { status, stderr, stdout } = spawnSync('mvn', args, { cwd: jars, encoding: 'utf8', timeout: MAVEN_MS })
  if (status !== 0) throw new Error(`the jars of Kafka ${VERSION} cannot be fetched by Maven:\n${stdout}${stderr}`)
  fs.writeFileSync(path.join(jars, 'complete'), '')
}

/** Arguments of java for one of Kafka's programs. */
function javaArgs(main, args, memory = '256m') {
  return [`-Xmx${memory}`, '-XX:+UseSerialGC', '-cp', path.join(jars, 'lib', '*'), main, ...args]
}

/** So many ports that nobody has: all are held before any is given back. */
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Processor time of a process so far, in ms; null if it has ended. */
function cpuOf(pid) {
  try {
    const fields = fs
      .readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return null
    throw error
  }
}

/** A broker, with its data in a folder of its own. */
class KafkaBroker {
  #child = null

  constructor(folder, ports, secure) {
    this.folder = folder
    this.port = ports.plain
    this.ports = ports
    this.secure = secure
    this.address = `127.0.0.1:${ports.plain}`
    this.tlsAddress = `127.0.0.1:${ports.tls}`
    this.saslAddress = `127.0.0.1:${ports.sasl}`
    this.config = path.join(folder, 'server.properties')
  }

  /**
   * Makes a broker, and starts it.
   *
   * @param secure what it has beside its plain listener, one with TLS and one with TLS and SASL:
   *   `pem`, a file with its key and certificate, and `user` and `password`; null: no such
   */
  static async start(secure = null) {
    fetchJars()
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-kafka-'))
    const [plain, controller, tls, sasl] = await freePorts(4)
    const broker = new KafkaBroker(folder, { plain, controller, tls, sasl }, secure)
    try {
      broker.#format()
      await broker.resume()
      return broker
    } catch (error) {
      await broker.remove()
      throw error
    }
  }

  /** The listeners for clients, and what the secured ones need. */
  #listeners() {
    const plain = `PLAINTEXT://127.0.0.1:${this.ports.plain}`
    if (this.secure === null) return { clients: plain, lines: [] }
    const { pem, user, password } = this.secure
    const name = 'listener.name.logins'
    const lines = [
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,LOGINS:SASL_SSL',
      'ssl.keystore.type=PEM',
      `ssl.keystore.location=${pem}`,
      `${name}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512`,
      `${name}.plain.sasl.jaas.config=${LOGIN_MODULES}.plain.PlainLoginModule required user_${user}="${password}";`,
      ...['256', '512'].map(
        bits => `${name}.scram-sha-${bits}.sasl.jaas.config=${LOGIN_MODULES}.scram.ScramLoginModule required;`
      )
    ]
    return { clients: `${plain},TLS://${this.tlsAddress},LOGINS://${this.saslAddress}`, lines }
  }

  #format() {
    const { folder, ports, secure } = this
    const { clients, lines: security } = this.#listeners()
    const lines = [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${ports.controller}`,
      `listeners=${clients},CONTROLLER://127.0.0.1:${ports.controller}`,
      `advertised.listeners=${clients}`,
      'controller.listener.names=CONTROLLER',
      ...security,
      `log.dirs=${path.join(folder, 'data')}`,
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      'num.partitions=3'
    ]
    fs.writeFileSync(this.config, `${lines.join('\n')}\n`)
    const users = (secure === null ? [] : ['256', '512']).flatMap(bits => [
      '--add-scram',
      `SCRAM-SHA-${bits}=[name=${secure.user},password=${secure.password}]`
    ])
    const id = Buffer.from('shardlog-kafka-1').toString('base64url')
    const args = ['format', '-t', id, '-c', this.config, ...users]
    const { status, stdout, stderr } = spawnSync('java', javaArgs('kafka.tools.StorageTool', args), {
      encoding: 'utf8'
    })
    if (status !== 0) throw new Error(`the broker's storage cannot be made:\n${stdout}${stderr}`)
  }

  /**
   * Starts it, again with the same data and port.
   *
   * @param ready whether it is waited for until it answers requests; else until it has its port,
   *   and it is one that starts soon and is never fast
   */
  async resume({ ready = true } = {}) {
    const out = fs.openSync(path.join(this.folder, 'server.out'), 'a')
    const soon = ready ? [] : ['-XX:TieredStopAtLevel=1']
    const args = [...soon, ...javaArgs('kafka.Kafka', [this.config], '512m')]
    const child = spawn('java', args, { stdio: ['ignore', out, out] })
    fs.closeSync(out)
    this.#child = child
    for (const end = Date.now() + START_MS; Date.now() < end; await pause(LOOK_MS)) {
      if (child.exitCode !== null) break
      if ((await answers(this.port)) && (!ready || this.#lists())) return
    }
    await this.stop('SIGKILL')
    throw new Error(`the broker does not start:\n${fs.readFileSync(path.join(this.folder, 'server.out'), 'utf8')}`)
  }

  #lists() {
    const args = ['--bootstrap-server', this.address, '--list']
    return spawnSync('java', javaArgs('org.apache.kafka.tools.TopicCommand', args), { timeout: STOP_MS }).status === 0
  }

  /** Makes a topic with so many partitions. */
  createTopic(topic, partitions = 1) {
    const args = [
      '--bootstrap-server',
      this.address,
      '--create',
      '--if-not-exists',
      '--topic',
      topic,
      '--partitions',
      String(partitions)
    ]
    const { status, stdout, stderr } = spawnSync('java', javaArgs('org.apache.kafka.tools.TopicCommand', args), {
      encoding: 'utf8'
    })
    if (status !== 0) throw new Error(`the topic cannot be made:\n${stdout}${stderr}`)
  }

  /** Ends it: SIGTERM as one does, SIGKILL as a crash. */
  async stop(signal = 'SIGTERM') {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }

  /** Stops its process for a while, or lets it go on. */
  freeze(frozen) {
    this.#child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT')
  }

  /**
   * All records of a topic, by Kafka's own consumer: `{ partition, id, key, value }`, in the order
   * of each partition.
   */
  consume(topic, { idleMs = 15_000 } = {}) {
    const args = [
      ...['--bootstrap-server', this.address, '--topic', topic, '--from-beginning', '--timeout-ms', String(idleMs)],
      ...['--property', 'print.partition=true', '--property', 'print.headers=true', '--property', 'print.key=true'],
      ...['--property', 'key.separator=\t', '--property', 'headers.separator=,']
    ]
    const { stdout } = spawnSync('java', javaArgs('org.apache.kafka.tools.consumer.ConsoleConsumer', args, '512m'), {
      encoding: 'utf8',
      maxBuffer: 1 << 30
    })
    return stdout
      .split('\n')
      .filter(Boolean)
      .map(line => {
        const [partition, headers, key, ...value] = line.split('\t')
        return {
          partition: Number(/\d+/.exec(partition)[0]),
          id: headers.replace(/^id:/, ''),
          key,
          value: value.join('\t')
        }
      })
  }

  /** Calls `take` with the value of each record of a topic. */
  async eachValue(topic, take) {
    const args = ['--bootstrap-server', this.address, '--topic', topic, '--from-beginning', '--timeout-ms', '10000']
    const main = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
    const child = spawn('java', javaArgs(main, args, '512m'), { stdio: ['ignore', 'pipe', 'ignore'] })
    for await (const line of readline.createInterface({ input: child.stdout })) take(line)
  }

  /** Kafka's own measure of what a producer reaches: its last line, and its processor time. */
  async measureProducer(topic, { records, bytes, config }) {
    const args = [
      ...['--topic', topic, '--num-records', String(records), '--record-size', String(bytes), '--throughput', '-1'],
      ...['--producer-props', `bootstrap.servers=${this.address}`, ...config]
    ]
    const main = 'org.apache.kafka.tools.ProducerPerformance'
    const child = spawn('java', javaArgs(main, args, '512m'), { stdio: ['ignore', 'pipe', 'ignore'] })
    let line = ''
    let cpuMs = 0
    for await (const next of readline.createInterface({ input: child.stdout })) {
      line = next
      cpuMs = cpuOf(child.pid) ?? cpuMs
    }
    return { line, cpuMs }
  }

  /** Ends it, and removes its data. */
  async remove() {
    await this.stop('SIGKILL')
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

async function main() {
  const lack = missing()
  if (lack !== null) throw new Error(`a broker cannot be started: ${lack}`)
  const broker = await KafkaBroker.start()
  console.log(broker.address)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void broker.remove())
}

module.exports = { KafkaBroker, missing, jars, javaArgs, cpuOf }

if (require.main === module) {
  main().catch(error => {
    console.error(error.message)
    process.exitCode = 1
  })
}
