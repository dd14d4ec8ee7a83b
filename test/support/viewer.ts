import { onTestFinished } from 'vitest'
import { eventOfLine } from '../../lib/cli/events'
import { LEVELS } from '../../lib/recorder/recorder'
import { Clock } from '../../lib/view/clock'
import { LevelTable } from '../../lib/view/event'
import { type Feed, type FeedContext, openFeed } from '../../lib/view/feeds'
import { DamageList } from '../../lib/view/interactive'
import { Viewer } from '../../lib/view/viewer'

export interface OpenViewer {
  viewer: Viewer
  damage: DamageList
  clock: Clock
  feeds: Feed[]
  /** Waits until something holds. */
  until(holds: () => boolean): Promise<void>
}

/** A viewer of files, whose end is waited for when the test is over. */
export async function openViewer(...files: string[]): Promise<OpenViewer> {
  const clock = new Clock()
  const levels = new LevelTable()
  const damage = new DamageList()
  const context: FeedContext = { clock, levels, decodeLine: eventOfLine, logLevels: LEVELS, onDamage: damage.add }
  const feeds: Feed[] = []
  for (const file of files) feeds.push(await openFeed(file, context))
  let wake: () => void = () => undefined
  const viewer = new Viewer({ feeds, clock, levels, onChange: () => wake() })
  let failure: Error | null = null
  const running = viewer.run().catch((error: Error) => {
    failure = error
    wake()
  })
  onTestFinished(async () => {
    viewer.stop()
    await running
    for (const feed of feeds) await feed.close()
  })
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      if (failure !== null) throw failure
      await new Promise<void>(resolve => {
        wake = resolve
        // Damage is told of without a call.
        setTimeout(resolve, 20)
      })
    }
  }
  return { viewer, damage, clock, feeds, until }
}

/** All events that a viewer shows, once it knows them. */
export async function eventsOf({ viewer, until }: OpenViewer) {
  await until(() => viewer.isComplete)
  return viewer.rows(0, viewer.length)
}
