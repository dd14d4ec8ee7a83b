import fs from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'

// A group of processes whose memory has an end, so that the kernel kills in it alone.

interface Kind {
  root: string
  limit: string
  events: string
}

/** Where groups are mounted, of either version; null: nowhere that counts memory. */
function findKind(): Kind | null {
  const mounts = fs.existsSync('/proc/mounts') ? fs.readFileSync('/proc/mounts', 'utf8').split('\n') : []
  for (const line of mounts) {
    const [, at = '', type, options = ''] = line.split(' ')
    if (type === 'cgroup2' && readOr(path.join(at, 'cgroup.subtree_control')).includes('memory'))
      return { root: at, limit: 'memory.max', events: 'memory.events' }
    if (type === 'cgroup' && options.split(',').includes('memory'))
      return { root: at, limit: 'memory.limit_in_bytes', events: 'memory.oom_control' }
  }
  return null
}

function readOr(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return '' // Another version, or none.
  }
}

const kind = findKind()

function works(): boolean {
  if (kind === null) return false
  const probe = path.join(kind.root, `shardlog-probe-${process.pid}`)
  try {
    fs.mkdirSync(probe)
    fs.writeFileSync(path.join(probe, kind.limit), String(64 << 20))
    return true
  } catch {
    return false // No right to make one: the tests say by their names that they are left out.
  } finally {
    if (fs.existsSync(probe)) fs.rmdirSync(probe)
  }
}

export const hasMemoryCgroup: boolean = works()

/** A group that goes away with the test. */
export function memoryCgroup(bytes: number): { add: (pid: number) => void; kills: () => number } {
  const { root, limit, events } = kind!
  const group = path.join(root, `shardlog-test-${process.pid}-${Date.now()}`)
  fs.mkdirSync(group)
  onTestFinished(() => fs.rmdirSync(group))
  fs.writeFileSync(path.join(group, limit), String(bytes))
  return {
    add: pid => fs.writeFileSync(path.join(group, 'cgroup.procs'), String(pid)),
    kills: () => Number(/^oom_kill (\d+)$/m.exec(readOr(path.join(group, events)))?.[1] ?? 0)
  }
}
