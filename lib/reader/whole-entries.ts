import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format/constants'
import { wholeEntries } from './parse-block'
import { CHUNK_BYTES, type Window } from './window'

/** How many bytes from `at` on have to be there to have one more whole entry than in `have`; 0 if there is none within `wanted`. */
function neededFrom(window: Window, at: number, have: number, wanted: number): number {
  if (have >= wanted) return 0
  const start = window.index(at) + BLOCK_HEADER_BYTES
  const whole = wholeEntries(window.buffer, start, have - BLOCK_HEADER_BYTES).bytes
  const next = BLOCK_HEADER_BYTES + whole + ENTRY_PREFIX_BYTES
  if (next > have) return next <= wanted ? next : 0
  const length = window.buffer.readUInt32LE(start + whole)
  return length > 0 && next + length <= wanted ? next + length : 0
}

/**
 * Loads the whole entries at the start of the block at `at`, of which `rest` bytes are there, header included: memory is taken for those
 * alone.
 * @returns their number and bytes; they lie in the window
 */
export async function loadWholeEntries(
  window: Window,
  at: number,
  rest: number
): Promise<{ bytes: number; count: number }> {
  let have = await window.load(at, Math.min(rest, CHUNK_BYTES))
  if (have < BLOCK_HEADER_BYTES) return { bytes: 0, count: 0 }
  const wanted = Math.min(rest, BLOCK_HEADER_BYTES + window.buffer.readUInt32LE(window.index(at) + 4))
  for (let need = neededFrom(window, at, have, wanted); need > have; need = neededFrom(window, at, have, wanted)) {
    const before = have
    have = await window.load(at, Math.min(wanted, Math.max(need, 2 * have)))
    if (have <= before) break
  }
  return wholeEntries(window.buffer, window.index(at) + BLOCK_HEADER_BYTES, Math.min(have, wanted) - BLOCK_HEADER_BYTES)
}
