import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { Logger, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'
import { expectOnce, type Kind, kinds, leftBeside, recover } from './support'

const LINES = 1_000
const BOOT_ID = [88, 104] as const

function open(kind: Kind, file: string) {
  if (kind === 'raw') {
    const logger = new Logger({ logFilePath: file, engine: 'native', bufferSize: 1 << 20, flushInterval: 0 })
    return { logger, say: (n: number) => logger.log(`${JSON.stringify({ n })}\n`) }
  }
  const logger = shardlog.destination({
    dest: file,
    format: kind,
    engine: 'native',
    bufferSize: 1 << 20,
    flushInterval: 0
  })
  const log = shardlog({ base: null }, logger)
  return { logger, say: (n: number) => log.info({ n }, 'm') }
}

describe.each(kinds)('%s', kind => {
  it('recover --force repeats nothing of an arena whose pages are older than the log, as a power failure leaves it', async () => {
    const file = tempLog()
    const { logger, say } = open(kind, file)
    for (let n = 0; n < LINES; n++) say(n)
    const arena = fs.readFileSync(arenaOf(file))
    logger.closeSync()
    arena.fill(7, ...BOOT_ID)
    fs.writeFileSync(arenaOf(file), arena)
    expect(recover(file, '--force').status).toBe(0)
    await expectOnce([file], kind, [{ first: 0, promised: LINES }])
    expect(leftBeside(file)).toEqual([])
  })

  it('files that a rotation put aside keep nothing allocated but what is in them', () => {
    const file = tempLog()
    const { logger, say } = open(kind, file)
    for (let n = 1; n <= 3; n++) {
      say(n)
      logger.flushSync()
      fs.renameSync(file, `${file}.${n}`)
    }
    logger.closeSync()
    for (let n = 1; n <= 3; n++) {
      const { size, blocks, blksize } = fs.statSync(`${file}.${n}`)
      expect(blocks * 512).toBeLessThanOrEqual(size + blksize)
    }
  })
})
