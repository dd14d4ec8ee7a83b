/** `shardlog view --interactive`: keys, and what the screen shows. */

import { ShardlogError } from '../errors'
import type { Damage } from '../reader/items'
import type { Clock } from './clock'
import type { FilterValues, LevelTable } from './event'
import type { Feed } from './feeds'
import { type Action, actionOf } from './keys'
import type { EventFilter } from './probes'
import { Prompt } from './prompt'
import { compose, type Layout, type Screen } from './screen'
import { loadTerminalKit, TerminalSession } from './terminal-session'
import { Viewer } from './viewer'

/** Damage that is told of when the terminal is as it was. */
const MOST_DAMAGE = 10

/** Collects damage: the first places, and how many there are. */
export class DamageList {
  readonly places: Damage[] = []
  count = 0
  /** Called after each. */
  onAdd: () => void = () => undefined

  readonly add = (damage: Damage): void => {
    this.count++
    if (this.places.length < MOST_DAMAGE) this.places.push(damage)
    this.onAdd()
  }
}

export interface InteractiveOptions {
  feeds: readonly Feed[]
  clock: Clock
  levels: LevelTable
  title: string
  filters: FilterValues
  damage: DamageList
  /** What a person is told at first. */
  message: string
  /** @throws Error that says what is wrong with the values */
  makeFilter(values: FilterValues): EventFilter
}

/**
 * That the terminal can show the program.
 *
 * @throws ShardlogError `ERR_SHARDLOG_TERMINAL`, `ERR_SHARDLOG_PACKAGE`
 */
export function checkTerminal(): void {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    const message = '--interactive needs a terminal, as standard input and as standard output'
    throw new ShardlogError('ERR_SHARDLOG_TERMINAL', message)
  }
  if (process.env.TERM === 'dumb') {
    const message = "--interactive needs a terminal that can place text; this one says that it cannot (TERM is 'dumb')"
    throw new ShardlogError('ERR_SHARDLOG_TERMINAL', message)
  }
  loadTerminalKit()
}

/** A time of day, to which the date is to be put. */
const CLOCK = /^\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/
/** A frame is drawn at most so often. */
const FRAME_MS = 33

class Program {
  readonly #options: InteractiveOptions
  readonly #viewer: Viewer
  readonly #session: TerminalSession
  readonly #layout: Layout
  readonly #histories = new Map<string, string[]>()
  #filters: FilterValues
  #screen: Screen | null = null
  #onAccept: ((text: string) => void | Promise<void>) | null = null
  #isDrawing = false
  #isDirty = false
  #finish: (error: Error | null) => void = () => undefined

  constructor(options: InteractiveOptions) {
    this.#options = options
    this.#filters = options.filters
    const { feeds, clock, levels, title, damage } = options
    damage.onAdd = () => this.#draw()
    this.#viewer = new Viewer({ feeds, clock, levels, onChange: () => this.#draw() })
    this.#session = new TerminalSession(loadTerminalKit(), {
      onKey: (name, isCharacter) => this.#onKey(name, isCharacter),
      onRedraw: () => this.#draw(),
      onGone: () => this.#finish(null)
    })
    const { measure, isUnicode, hasColors, size } = this.#session
    this.#layout = {
      ...size,
      top: 0,
      hasHistogram: true,
      isDetailOpen: false,
      isDetailFocused: false,
      detailTop: 0,
      isHelpOpen: false,
      helpTop: 0,
      prompt: null,
      title,
      filters: '',
      damaged: 0,
      isUnicode,
      hasColors,
      measure
    }
    this.#viewer.message = { text: options.message, isError: true }
  }

  /** Runs until somebody quits. */
  async run(): Promise<void> {
    this.#session.open()
    try {
      this.#applyFilters(this.#filters)
      await new Promise<void>((resolve, reject) => {
        this.#finish = error => (error === null ? resolve() : reject(error))
        this.#viewer.run().catch(reject)
        this.#draw()
      })
    } finally {
      this.#viewer.stop()
      this.#session.close()
    }
  }

  /** Draws soon; changes that come meanwhile are drawn together. */
  #draw(): void {
    this.#isDirty = true
    if (this.#isDrawing) return
    this.#isDrawing = true
    void this.#drawAll().catch(this.#finish)
  }

  async #drawAll(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false
      Object.assign(this.#layout, this.#session.size, { damaged: this.#options.damage.count })
      const screen = await compose(this.#viewer, this.#layout)
      this.#screen = screen
      this.#session.draw(screen.lines, screen.cursor)
      await new Promise(resolve => setTimeout(resolve, FRAME_MS))
    }
    this.#isDrawing = false
  }

  #onKey(name: string, isCharacter: boolean): void {
    try {
      const { prompt } = this.#layout
      if (prompt === null) this.#act(actionOf(name))
      else this.#typeKey(prompt, name, isCharacter)
    } catch (error) {
      this.#viewer.say((error as Error).message, true)
    }
    this.#draw()
  }

  #typeKey(prompt: Prompt, name: string, isCharacter: boolean): void {
    if (name === 'ESCAPE' || name === 'CTRL_C') {
      this.#layout.prompt = null
    } else if (name === 'ENTER' || name === 'KP_ENTER') {
      this.#layout.prompt = null
      const done = this.#onAccept?.(prompt.accept())
      done?.catch((error: Error) => this.#viewer.say(error.message, true))
    } else if (name === 'CTRL_Z') {
      this.#session.suspend()
    } else {
      prompt.press(name, isCharacter)
    }
  }

  #ask(label: string, text: string, onAccept: (text: string) => void | Promise<void>): void {
    const history = this.#histories.get(label) ?? []
    this.#histories.set(label, history)
    this.#onAccept = onAccept
    this.#layout.prompt = new Prompt(label, text, history)
  }

  #act(action: Action | undefined): void {
    if (action === undefined) return
    const layout = this.#layout
    this.#viewer.message = { text: '', isError: false }
    if (layout.isHelpOpen && this.#scroll('helpTop', action)) return
    if (layout.isDetailOpen && layout.isDetailFocused && this.#scroll('detailTop', action)) return
    if (!this.#move(action) && !this.#change(action)) this.#askFor(action)
  }

  /** Scrolls what has the arrows; whether the action was one of that. */
  #scroll(top: 'helpTop' | 'detailTop', action: Action): boolean {
    const page = Math.max(1, Math.floor(this.#layout.height / 3))
    const steps = { up: -1, down: 1, pageUp: -page, pageDown: page, first: -1e9, last: 1e9 }
    const by = steps[action as keyof typeof steps]
    if (by === undefined) return false
    this.#layout[top] = Math.max(0, this.#layout[top] + by)
    return true
  }

  #move(action: Action): boolean {
    const viewer = this.#viewer
    const page = Math.max(1, (this.#screen?.listRows ?? 1) - 1)
    const steps = { up: -1, down: 1, pageUp: -page, pageDown: page }
    const by = steps[action as keyof typeof steps]
    if (by !== undefined) viewer.move(by)
    else if (action === 'first') viewer.select(0)
    else if (action === 'last') viewer.selectLast()
    else if (action === 'nextMatch') viewer.jump('match', 1)
    else if (action === 'previousMatch') viewer.jump('match', -1)
    else if (action === 'nextError') viewer.jump('error', 1)
    else if (action === 'previousError') viewer.jump('error', -1)
    else if (action === 'barOn' || action === 'barBack')
      void this.#moveBar(action === 'barOn' ? 1 : -1).catch(this.#finish)
    else return false
    this.#layout.detailTop = 0
    return true
  }

  /** To the first event of the next bar that has any, or of the one before. */
  async #moveBar(direction: 1 | -1): Promise<void> {
    const columns = this.#screen?.columns ?? []
    const [event] = await this.#viewer.rows(this.#viewer.selected, 1)
    if (event === undefined) return
    const ticks = this.#options.clock.ticksOf(event.time)
    let at = columns.findIndex(({ start, end }) => ticks >= start && ticks < end)
    do at += direction
    while (at >= 0 && at < columns.length && columns[at]!.counts.every(count => count === 0))
    const column = columns[at]
    if (column !== undefined) await this.#viewer.selectTime(column.start)
    else if (direction > 0) this.#viewer.selectLast()
    else this.#viewer.select(0)
    this.#draw()
  }

  #change(action: Action): boolean {
    const layout = this.#layout
    const viewer = this.#viewer
    switch (action) {
      case 'quit':
        if (layout.isHelpOpen) layout.isHelpOpen = false
        else this.#finish(null)
        return true
      case 'detail':
        layout.isDetailOpen = !layout.isDetailOpen
        layout.isDetailFocused = false
        layout.detailTop = 0
        return true
      case 'focus':
        if (layout.isDetailOpen) layout.isDetailFocused = !layout.isDetailFocused
        else layout.isDetailOpen = true
        return true
      case 'histogram':
        layout.hasHistogram = !layout.hasHistogram
        return true
      case 'help':
        layout.isHelpOpen = !layout.isHelpOpen
        return true
      case 'escape':
        this.#escape()
        return true
      case 'suspend':
        this.#session.suspend()
        return true
      case 'redraw':
        this.#session.redraw()
        return true
      case 'follow':
        this.#follow()
        return true
      case 'clear':
        this.#applyFilters({})
        viewer.say('no filter')
        return true
      default:
        return false
    }
  }

  #escape(): void {
    const layout = this.#layout
    if (layout.isHelpOpen) layout.isHelpOpen = false
    else if (this.#viewer.cancel()) this.#viewer.say('given up')
    else if (layout.isDetailOpen) layout.isDetailOpen = layout.isDetailFocused = false
    else this.#viewer.setSearch('')
  }

  #follow(): void {
    const viewer = this.#viewer
    if (!this.#options.feeds.some(feed => feed.canFollow)) {
      viewer.say('nothing can come: snapshots, gzipped logs and pipes are as they are', true)
      return
    }
    viewer.follow(!viewer.isFollowing)
    viewer.say(viewer.isFollowing ? 'following: what is logged comes at the end' : 'no longer following')
  }

  #askFor(action: Action): void {
    const { level = '', target = '', where = [] } = this.#filters
    const set = (values: FilterValues): void => this.#applyFilters({ ...this.#filters, ...values })
    switch (action) {
      case 'search':
        this.#ask('search:', '', text => this.#viewer.setSearch(text))
        break
      case 'goto':
        this.#ask('go to:', '', text => this.#goTo(text))
        break
      case 'level':
        this.#ask('least level:', level, text => set({ level: text }))
        break
      case 'target':
        this.#ask('logger:', target || (this.#screen?.selected?.target ?? ''), text => set({ target: text }))
        break
      case 'where':
        this.#ask('FIELD=VALUE or FIELD~PATTERN, several with " && ":', where.join(' && '), text =>
          set({ where: text === '' ? [] : text.split(' && ') })
        )
        break
      case 'since':
      case 'until':
        this.#ask(`${action}:`, this.#filters[action] || this.#hereText(), text =>
          set({ [action]: text === '' ? '' : this.#withDate(text) })
        )
        break
    }
  }

  /** Time of the selected event, in ms. */
  get #here(): number {
    const ns = this.#screen?.selected?.time ?? 0n
    return ns > 0n ? Number(ns / 1_000_000n) : 0
  }

  #hereText(): string {
    return this.#here === 0 ? '' : new Date(this.#here).toISOString()
  }

  /** A time of day becomes one of the day of the selected event. */
  #withDate(text: string): string {
    if (!CLOCK.test(text)) return text
    const day = new Date(this.#here).toISOString().slice(0, 'YYYY-MM-DD'.length)
    return `${day}T${text.padStart(text.indexOf(':') === 1 ? text.length + 1 : 0, '0')}Z`
  }

  async #goTo(text: string): Promise<void> {
    if (text === '') return
    const since = this.#withDate(text)
    const time = this.#options.makeFilter({ since }).since
    if (time !== null) await this.#viewer.selectTime(this.#options.clock.ticksOf(time))
    this.#draw()
  }

  /** Filters by what is not empty. */
  #applyFilters(values: FilterValues): void {
    const { level = '', target = '', since = '', until = '', where = [] } = values
    const given: FilterValues = {
      ...(level === '' ? {} : { level }),
      ...(target === '' ? {} : { target }),
      ...(since === '' ? {} : { since }),
      ...(until === '' ? {} : { until }),
      ...(where.length === 0 ? {} : { where })
    }
    const isAny = Object.keys(given).length > 0
    this.#viewer.setFilter(isAny ? this.#options.makeFilter(given) : null)
    this.#filters = given
    const words = [
      ...(level === '' ? [] : [`level ${level}`]),
      ...(target === '' ? [] : [`target ${target}`]),
      ...(since === '' ? [] : [`since ${since}`]),
      ...(until === '' ? [] : [`until ${until}`]),
      ...where
    ]
    this.#layout.filters = words.join(', ')
  }
}

/**
 * Shows the events of the feeds until somebody quits.
 *
 * @throws what the files throw, when the terminal is as it was
 */
export async function runInteractive(options: InteractiveOptions): Promise<void> {
  await new Program(options).run()
}
