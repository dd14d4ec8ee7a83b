/** The worker thread that ships what an application has logged. */

import { parentPort, workerData } from 'node:worker_threads'
import { asShardlogError } from '../errors'
import { setTimeout } from '../timers'
import { type Job, type Reply, type Request, shipperOptions, startWhenFree } from './job'
import { makeSink } from './kinds'
import type { Shipper } from './shipper'

const STATS_MS = 1_000

const say = (reply: Reply): void => parentPort!.postMessage(reply)

function tell(thrown: unknown): void {
  const { code, message } = asShardlogError(thrown)
  say({ kind: 'problem', code, message })
}

async function tellStats(shipper: Shipper): Promise<void> {
  say({ kind: 'stats', stats: await shipper.stats() })
}

async function main(): Promise<void> {
  const job = workerData as Job
  const ended = new AbortController()
  const sink = makeSink(job.type, job.options)
  const starting = startWhenFree(shipperOptions(job), sink, tell, ended.signal)

  async function end(): Promise<void> {
    ended.abort()
    const shipper = await starting
    await shipper?.close()
    if (shipper) await tellStats(shipper)
    else await sink.close()
  }

  parentPort!.on('message', (request: Request) => {
    const done =
      request.kind === 'close'
        ? end().then(() => {
            say({ kind: 'closed' })
            parentPort!.close()
          })
        : starting.then(shipper => shipper?.flush()).then(() => say({ kind: 'flushed', id: request.id }))
    done.catch(error => {
      tell(error)
      say(request.kind === 'close' ? { kind: 'closed' } : { kind: 'flushed', id: request.id })
      if (request.kind === 'close') parentPort!.close()
    })
  })

  const shipper = await starting
  const report = (): void => {
    if (ended.signal.aborted || !shipper) return
    // What cannot be counted now can be later.
    tellStats(shipper).catch(tell)
    setTimeout(report, STATS_MS)
  }
  report()
}

main().catch(error => {
  tell(error)
  // Whoever waits for the end is not kept waiting.
  say({ kind: 'closed' })
  parentPort!.close()
})
