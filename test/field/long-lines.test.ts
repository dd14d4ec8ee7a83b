import { describe, it } from 'vitest'
import { tempLog } from '../support/temp'
import { expectOnce, type Kind, killed, type Logged, recover, restarted } from './support'

const ROUNDS = 3

/** Records of some ten bytes whose lines are some hundred times as long. */
const widths = [700, 4_000, 20_000]

describe.each(['ndjson', 'shard'] as Kind[])('%s: lines much longer than their records', kind => {
  it.each(widths)('of %i bytes are there once after kills in the middle of flushes', async width => {
    const file = tempLog()
    const logged: Logged[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const job = { kind, file, width, options: { bufferSize: 1 << 20 }, first: round * 1_000_000 }
      logged.push(await killed(job))
      // The next round's opening recovers it as well.
      if (round % 2 === 0) recover(file)
    }
    logged.push(await restarted({ kind, file, first: ROUNDS * 1_000_000, count: 50, width }))
    await expectOnce([file], kind, logged)
  })
})
