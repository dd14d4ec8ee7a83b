import type { ResolvedConfig } from '../../types'
import { BlockForm } from './block-form'
import type { Counters } from './counters'
import type { Form, Geometry } from './geometry'
import { Lock } from './lock'
import { type LogFile, openLogFile } from './log-file'
import type { Outlet } from './outlet'
import { SetWriter } from './set-writer'
import { TextForm } from './text-form'

/** A log's file, locked against other processes. */
export class FileOutlet implements Outlet {
  readonly writer: SetWriter
  readonly name: string
  readonly path: string
  readonly ioAlignment = 512
  readonly ioReason = 'the JavaScript engine writes through the page cache'
  readonly #lock: Lock
  readonly #file: LogFile

  /**
   * @param realPath the log's path without symbolic links, by which it is locked
   * @throws ShardlogError `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_IO`
   */
  constructor(config: ResolvedConfig, realPath: string, form: Form, geometry: Geometry, counters: Counters) {
    this.path = config.logFilePath
    this.name = this.path
    const fileForm = form === 'text' ? new TextForm() : new BlockForm(geometry.segmentsPerShard)
    this.#lock = new Lock(realPath)
    try {
      this.#lock.checkNative()
      this.#file = openLogFile(this.path, config.dsync, fileForm, this.#lock.first)
      this.#lock.ready()
    } catch (error) {
      this.#lock.release()
      throw error
    }
    this.writer = new SetWriter(this.#file, fileForm, counters)
  }

  unlock(): void {
    this.#lock.release()
  }

  close(): void {
    this.#file.close()
  }
}
