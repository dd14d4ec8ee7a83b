import { describe, expect, it } from 'vitest'
import { coalesced } from '../../lib/engine/engine'

/** A run that is settled by hand, and how often it was begun. */
function manual() {
  const runs: { resolve: () => void; reject: (error: Error) => void }[] = []
  const call = coalesced(() => new Promise((resolve, reject) => runs.push({ resolve, reject })))
  return { call, runs }
}

describe('flushes', () => {
  it('calls during a run share the next one', async () => {
    const { call, runs } = manual()
    const first = call()
    const later = [call(), call(), call()]
    expect(runs).toHaveLength(1)
    runs[0]!.resolve()
    await first
    await new Promise(setImmediate)
    expect(runs).toHaveLength(2)
    runs[1]!.resolve()
    await Promise.all(later)
  })

  it('a failure is told to those who asked for that run, and the next run begins all the same', async () => {
    const { call, runs } = manual()
    const first = call()
    const second = call()
    runs[0]!.reject(new Error('disk full'))
    await expect(first).rejects.toThrow('disk full')
    await new Promise(setImmediate)
    runs[1]!.resolve()
    await expect(second).resolves.toBeUndefined()
  })

  it('a call after the end begins a run of its own', async () => {
    const { call, runs } = manual()
    const first = call()
    runs[0]!.resolve()
    await first
    call()
    expect(runs).toHaveLength(2)
  })
})
