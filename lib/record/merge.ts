/** Something with a place in the order of section 5. */
export interface Timed {
  /** ms since the Unix epoch. NaN counts as the time of the line before it. */
  time: number
}

/** What one thread has logged in a generation, in its order. */
export interface ThreadLines<T extends Timed> {
  producer: number
  lines: Iterable<T>
}

interface Head<T> {
  producer: number
  /**
   * The latest time of the thread so far: a line that is earlier, because the clock was set back,
   * stays behind its predecessor.
   */
  time: number
  line: T
  rest: Iterator<T>
}

function advance<T extends Timed>(head: Omit<Head<T>, 'line'>): Head<T> | null {
  const step = head.rest.next()
  if (step.done) return null
  const { time } = step.value
  return { ...head, time: time > head.time ? time : head.time, line: step.value }
}

function comesFirst<T>(a: Head<T>, b: Head<T>): boolean {
  return a.time < b.time || (a.time === b.time && a.producer < b.producer)
}

/**
 * The lines of one generation in the order in which they are written (section 5). Takes from each
 * thread only the line that is next.
 * @param threads one for each producer
 */
export function* mergeThreads<T extends Timed>(threads: Iterable<ThreadLines<T>>): Generator<T, void> {
  const heads: Head<T>[] = []
  for (const { producer, lines } of threads) {
    const head = advance<T>({ producer, time: Number.NEGATIVE_INFINITY, rest: lines[Symbol.iterator]() })
    if (head) heads.push(head)
  }
  while (heads.length > 0) {
    const first = heads.reduce((best, head) => (comesFirst(head, best) ? head : best))
    yield first.line
    const next = advance(first)
    if (next) heads[heads.indexOf(first)] = next
    else heads.splice(heads.indexOf(first), 1)
  }
}

/** A segment of a generation, in block order (log-format, R13). */
export interface ProducedSegment {
  producer: number
}

/** The segments of each producer, in the order given. */
export function byProducer<S extends ProducedSegment>(segments: Iterable<S>): Map<number, S[]> {
  const producers = new Map<number, S[]>()
  for (const segment of segments) {
    const own = producers.get(segment.producer)
    if (own) own.push(segment)
    else producers.set(segment.producer, [segment])
  }
  return producers
}

/**
 * The lines of the segments of one generation, in the order in which they are written.
 * @param segments in block order, so that those of one producer stand in the order in which it
 *   filled them
 * @param render the lines of a segment, in its order; asked for once the segments before it are
 *   used up
 */
export function mergeSegments<S extends ProducedSegment, T extends Timed>(
  segments: Iterable<S>,
  render: (segment: S) => Iterable<T>
): Generator<T, void> {
  function* linesOf(own: readonly S[]): Generator<T, void> {
    for (const segment of own) yield* render(segment)
  }
  const threads = [...byProducer(segments)].map(([producer, own]) => ({ producer, lines: linesOf(own) }))
  return mergeThreads(threads)
}
