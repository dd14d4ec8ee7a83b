import fs from 'node:fs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ArenaFile } from '../../lib/arena/arena-file'
import { isOwnerAlive } from '../../lib/arena/arena-file'
import { openArenaOf } from '../../lib/arena/locate'
import { arenaOf } from '../support/arena-path'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

function openLog(): { logFilePath: string; arena: ArenaFile } {
  const logFilePath = tempLog()
  const logger = new Logger({ logFilePath, engine: 'native', bufferSize: 1 << 20 })
  onTestFinished(() => logger.closeSync())
  return { logFilePath, arena: openArenaOf({ path: logFilePath })! }
}

describe('the owner of an arena', () => {
  it('is told by its pid, the time of its start and its pid namespace', () => {
    const { owner } = openLog().arena
    expect(owner.pid).toBe(process.pid)
    expect(owner.pidNamespace).toBe(fs.statSync('/proc/self/ns/pid', { bigint: true }).ino)
    expect(isOwnerAlive(owner)).toBe(true)
    expect(isOwnerAlive({ ...owner, start: owner.start + 1n })).toBe(false)
    expect(isOwnerAlive({ ...owner, pid: 2 ** 22 + 1 })).toBe(false)
    expect(isOwnerAlive({ ...owner, pidNamespace: 0n, pid: 2 ** 22 + 1 })).toBe(false)
  })

  it('may be alive in another pid namespace, whoever has its pid here', () => {
    const { owner } = openLog().arena
    const elsewhere = { ...owner, pidNamespace: owner.pidNamespace + 1n }
    expect(isOwnerAlive({ ...elsewhere, pid: 2 ** 22 + 1 })).toBe(true)
    expect(isOwnerAlive({ ...elsewhere, start: 1n })).toBe(true)
    expect(isOwnerAlive({ ...elsewhere, bootId: '0'.repeat(32) })).toBe(false)
  })

  it('is alive where /proc hides it', () => {
    const { owner } = openLog().arena
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill'), { code: 'EPERM' })
    })
    onTestFinished(() => kill.mockRestore())
    expect(isOwnerAlive({ ...owner, pid: 2 ** 22 + 1 })).toBe(true)
  })
})

describe('what others may have put where an arena lies', () => {
  it.each<[string, (arena: string) => void]>([
    ['may be written by others', arena => fs.chmodSync(arena, 0o666)],
    ['has two names', arena => fs.linkSync(arena, `${arena}.2`)],
    [
      'is a symbolic link',
      arena => {
        fs.renameSync(arena, `${arena}.1`)
        fs.symlinkSync(`${arena}.1`, arena)
      }
    ]
  ])('is not read if it %s', (_, change) => {
    const { logFilePath } = openLog()
    const bytes = fs.readFileSync(arenaOf(logFilePath))
    const other = tempLog()
    fs.writeFileSync(other, '')
    fs.writeFileSync(arenaOf(other), bytes, { mode: 0o600 })
    expect(openArenaOf({ path: other })).not.toBeNull()
    change(arenaOf(other))
    expect(() => openArenaOf({ path: other })).toThrow('may be what another user put there')
  })
})
