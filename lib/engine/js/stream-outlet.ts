import type { ResolvedConfig } from '../../types'
import type { Counters } from './counters'
import type { Descriptor } from './descriptor'
import type { Outlet } from './outlet'
import { StreamWriter } from './stream-writer'

/** A descriptor that lines go to. */
export class StreamOutlet implements Outlet {
  readonly writer: StreamWriter
  readonly path = undefined
  readonly ioAlignment = 1
  readonly ioReason: string

  constructor(
    private readonly descriptor: Descriptor,
    readonly name: string,
    { blockTimeout, exitTimeout }: Pick<ResolvedConfig, 'blockTimeout' | 'exitTimeout'>,
    counters: Counters
  ) {
    this.writer = new StreamWriter(descriptor, name, blockTimeout, exitTimeout, counters)
    this.ioReason = `${name} is written to through the kernel's buffers`
  }

  unlock(): void {
    // Nobody is kept off: what others write comes between lines.
  }

  close(): void {
    this.descriptor.close()
  }
}
