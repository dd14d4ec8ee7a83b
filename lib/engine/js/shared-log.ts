import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../../errors'
import type { ResolvedConfig } from '../../types'
import { awaitLock } from '../await-lock'
import { deliver } from '../deliver'
import { flushAtExit, forgetAtExit } from '../exit-hook'
import { checkNoArena } from './arena-check'
import { openDescriptor } from './descriptor'
import { FileOutlet } from './file-outlet'
import type { Form } from './geometry'
import { JsLog } from './js-log'
import { StreamOutlet } from './stream-outlet'

/** A logger, as the log that it shares sees it. */
export interface Handle {
  readonly onError: ResolvedConfig['onError']
}

type OpenOutlet = ConstructorParameters<typeof JsLog>[4]

/** By real path, or by what the descriptor leads to. Each thread has its own. */
const registry = new Map<string, SharedLog>()

/** A log and the loggers of this thread that share it. */
export class SharedLog {
  readonly handles = new Set<Handle>()
  readonly log: JsLog

  constructor(
    private readonly key: string,
    config: ResolvedConfig,
    form: Form,
    lines: boolean,
    open: OpenOutlet
  ) {
    this.log = new JsLog(key, config, form, lines, open, error => this.#report(error))
    registry.set(key, this)
    flushAtExit(this.log)
  }

  #report(error: ShardlogError): void {
    for (const { onError } of this.handles) if (onError !== undefined) deliver(onError, error)
  }

  /** The last one closes the log. */
  leave(handle: Handle): void {
    if (!this.handles.delete(handle) || this.handles.size > 0) return
    registry.delete(this.key)
    forgetAtExit(this.log)
    this.log.shut()
  }
}

/** The path without symbolic links; of a log that does not exist yet, its directory's. */
function realPathOf(file: string): string {
  try {
    if (fs.existsSync(file)) return fs.realpathSync(file)
    return path.join(fs.realpathSync(path.dirname(file)), path.basename(file))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot open ${file}`, error, file)
  }
}

const KINDS: Record<Form, string> = {
  blocks: "a Logger or a destination with format 'shard'",
  text: "a destination with format 'ndjson'"
}

function otherForm(file: string, open: Form, wanted: Form): ShardlogError {
  const message = `${file} is open in this process for ${KINDS[open]}; ${KINDS[wanted]} needs a file of its own`
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message, { path: file })
}

/** The log at the config's path. `lines`: as JsLog's. */
export function openFileLog(config: ResolvedConfig, form: Form, lines: boolean): SharedLog {
  return awaitLock(config.lockTimeout, () => tryToOpen(config, form, lines))
}

function tryToOpen(config: ResolvedConfig, form: Form, lines: boolean): SharedLog {
  const file = realPathOf(config.logFilePath)
  const known = registry.get(file)
  if (known !== undefined) {
    if (known.log.form !== form) throw otherForm(file, known.log.form, form)
    return known
  }
  checkNoArena(config.logFilePath, config.arenaDir)
  return new SharedLog(
    file,
    config,
    form,
    lines,
    (geometry, counters) => new FileOutlet(config, file, form, geometry, counters)
  )
}

/** The log of what a descriptor leads to. `logFilePath`: its name for messages. */
export function openStreamLog(config: ResolvedConfig, fd: number): SharedLog {
  const name = config.logFilePath
  const descriptor = openDescriptor(fd, name)
  const known = registry.get(descriptor.key)
  if (known !== undefined) {
    descriptor.close()
    return known
  }
  return new SharedLog(
    descriptor.key,
    config,
    'text',
    true,
    (_geometry, counters) => new StreamOutlet(descriptor, name, config, counters)
  )
}
