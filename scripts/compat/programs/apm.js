'use strict'

// Agents and instrumentations that look into a logger. Those that hook into modules by the name
// `pino` are left out where `require` is changed.

const { calls } = require('./parts')

module.exports = [
  {
    packages: [
      '@opentelemetry/instrumentation-pino@0.69.0',
      '@opentelemetry/api@1.10.0',
      '@opentelemetry/sdk-trace-node@2.12.1'
    ],
    what: 'trace ids in lines, `logHook`',
    isByName: true,
    before: `
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node')
const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino')
const idGenerator = { generateTraceId: () => '1'.repeat(32), generateSpanId: () => '2'.repeat(16) }
const provider = new NodeTracerProvider({ idGenerator })
provider.register()
new PinoInstrumentation({ logHook: (span, record) => { record.hooked = true } }).setTracerProvider(provider)`,
    ci: false,
    text: `
const log = pino()
provider.getTracer('compat').startActiveSpan('one', span => {${calls}
  span.end()
})
log.info('outside')`
  },
  {
    packages: ['@sentry/node@10.78.0'],
    what: 'its integration for pino: logs that are sent, and errors',
    ci: false,
    before: `
const Sentry = require('@sentry/node')
const sent = []
Sentry.init({
  dsn: 'http://key@127.0.0.1:9/1',
  enableLogs: true,
  integrations: [Sentry.pinoIntegration({ error: { levels: ['error', 'fatal'] } })],
  beforeSendLog: ({ level, message, attributes }) => { sent.push(JSON.stringify({ level, message: String(message), keys: Object.keys(attributes).sort() })); return null },
  beforeSend: ({ level, message, exception }) => { sent.push(JSON.stringify({ level, message, value: exception?.values?.[0]?.value })); return null }
})`,
    text: `
const log = pino({ name: 'compat' })${calls}
setTimeout(() => { for (const line of sent) console.log(line); process.exit() }, 300)`
  },
  {
    packages: ['elastic-apm-node@4.18.0', '@elastic/ecs-pino-format@1.5.0'],
    what: 'ids of a transaction in ECS lines',
    ci: false,
    before: `
const apm = require('elastic-apm-node').start({ serviceName: 'compat', disableSend: true, logLevel: 'off', centralConfig: false, cloudProvider: 'none', metricsInterval: '0s' })`,
    text: `
const { ecsFormat } = require('@elastic/ecs-pino-format')
const log = pino(ecsFormat({ apmIntegration: true }))
apm.startTransaction('one')${calls}
apm.endTransaction()
log.info('outside')
setTimeout(() => process.exit(), 100)`
  },
  {
    packages: ['dd-trace@5.132.0'],
    what: 'ids of a span in lines, by `logInjection`',
    isByName: true,
    ci: false,
    before: `
Object.assign(process.env, { DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false', DD_REMOTE_CONFIGURATION_ENABLED: 'false', DD_TRACE_STARTUP_LOGS: 'false', DD_TRACE_AGENT_URL: 'http://127.0.0.1:9' })
const tracer = require('dd-trace').init({ logInjection: true, service: 'compat', env: 'test', version: '1' })`,
    text: `
const log = pino()
tracer.trace('one', () => {${calls}
})
log.info('outside')
setTimeout(() => process.exit(), 100)`
  },
  {
    packages: ['newrelic@13.9.2'],
    what: 'linking metadata in lines, forwarding',
    isByName: true,
    ci: false,
    before: `
Object.assign(process.env, { NEW_RELIC_APP_NAME: 'compat', NEW_RELIC_LICENSE_KEY: '0'.repeat(40), NEW_RELIC_HOST: '127.0.0.1', NEW_RELIC_PORT: '9', NEW_RELIC_LOG_ENABLED: 'false', NEW_RELIC_NO_CONFIG_FILE: 'true', NEW_RELIC_APPLICATION_LOGGING_LOCAL_DECORATING_ENABLED: 'true' })
const newrelic = require('newrelic')`,
    text: `
const log = pino()
newrelic.startBackgroundTransaction('one', () => {${calls}
})
log.info('outside')
setTimeout(() => { console.log('forwarded', newrelic.agent.logs.length); process.exit() }, 200)`
  },
  {
    packages: ['@newrelic/pino-enricher@1.1.1', 'newrelic@13.9.2'],
    what: 'its formatters',
    ci: false,
    before: `
Object.assign(process.env, { NEW_RELIC_APP_NAME: 'compat', NEW_RELIC_LICENSE_KEY: '0'.repeat(40), NEW_RELIC_HOST: '127.0.0.1', NEW_RELIC_PORT: '9', NEW_RELIC_LOG_ENABLED: 'false', NEW_RELIC_NO_CONFIG_FILE: 'true' })
const newrelic = require('newrelic')`,
    text: `
const log = pino(require('@newrelic/pino-enricher')())
newrelic.startBackgroundTransaction('one', () => {${calls}
})
setTimeout(() => process.exit(), 200)`
  }
]
