'use strict'

// What of dist/ a start needs, and when. lazy-imports.js and merge-modules.js read it;
// test/unit/startup.test.ts counts what a start loads. A module that is not named here runs as soon
// as another imports it.

/**
 * Modules that programs load by their own paths. A start reads them, and what they import, in one
 * file.
 */
const entries = ['index', 'pino/index']

/**
 * Modules that run when they are first used. The first log reads them, and what they import, in a
 * second file.
 */
const soon = ['engine/direct-route', 'engine/js/lock', 'engine/open-engine', 'pino/record-destination']

/**
 * Modules that are read and run when they are first used: for programs that ask for what they do.
 */
const later = [
  'appenders/explain',
  'appenders/kinds',
  'appenders/logging',
  'appenders/model',
  'appenders/rolling-file',
  'appenders/source',
  'cli/interactive',
  'cli/report',
  'engine/js/js-engine',
  'features/features',
  'features/recording',
  'metrics',
  'pino/multistream',
  'pino/transport',
  'pretty',
  'reader/read-log',
  'reader/verify-log',
  'recorder/events',
  'recorder/recorder',
  'recorder/snapshot',
  'ship/appender',
  'ship/failover',
  'ship/http',
  'ship/job',
  'ship/id-bytes',
  'ship/kafka',
  'ship/kafka-batch',
  'ship/kafka-client',
  'ship/kafka-config',
  'ship/kafka-producer',
  'ship/kinds',
  'ship/log-source',
  'ship/otlp',
  'ship/shipper',
  'ship/state',
  'ship/syslog'
]

/**
 * Packages, and modules of Node that it does not load for itself, which are loaded when they are
 * first used.
 */
const packages = [
  '@pinojs/redact',
  'on-exit-leak-free',
  'safe-stable-stringify',
  'sonic-boom',
  'node:async_hooks',
  'node:crypto',
  'node:module',
  'node:os'
]

/**
 * Modules that find other files from where they lie themselves, or are found there by others, and
 * so stay there.
 */
const inPlace = ['engine/load-native', 'own-place', '../lib/tools']

module.exports = { entries, soon, later, packages, inPlace }
