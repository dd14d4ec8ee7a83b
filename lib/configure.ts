/** The public face of configurations: what lies behind is loaded with the first one. */

import { type ConfigureOptions, type Logging, openLogging } from './appenders/logging'
import { registerRemoteKinds } from './ship/kinds'

/**
 * Appenders, levels and layouts by a configuration.
 *
 * @param configuration a file of YAML or JSON, or an object of the same shape; default: the file
 *   that the environment variable SHARDLOG_CONFIG names
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` with all that is wrong, each with path, line, value
 *   and what is allowed; what an appender cannot be opened for
 */
export function configure(configuration?: string | URL | object, options: ConfigureOptions = {}): Logging {
  // Which makes the local kinds known first: messages list them in that order.
  const open = openLogging
  registerRemoteKinds()
  return open(configuration, options)
}
