/**
 * Where a file has data, for those who would read gigabytes of holes otherwise. Node has no
 * SEEK_DATA: what is known is how much of a file has blocks.
 */

import fs from 'node:fs'

const PART_BYTES = 1 << 20
/** What `stat` counts blocks in. */
const COUNTED_BYTES = 512
/** With fewer bytes of holes, finding them costs more than reading them as they come. */
const FEW_BYTES = 16 << 20
const ZEROES = Buffer.alloc(PART_BYTES)

/**
 * `f_type` of ext2 to ext4, xfs and tmpfs: no byte of data there is without a block that `stat`
 * counts. Others compress, or count late.
 */
const COUNTING: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994])

const isZero = (bytes: Buffer): boolean => bytes.equals(ZEROES.subarray(0, bytes.length))

/** What is known of where a file may have data. */
interface Allocation {
  /** Bytes that have blocks; Infinity where that is not known. */
  readonly bytes: number
  /** Bytes of a block. */
  readonly unit: number
}

function allocationOf(file: string, { blocks }: fs.Stats): Allocation {
  const { type, bsize } = fs.statfsSync(file)
  const isKnown = COUNTING.has(type) && bsize >= COUNTED_BYTES && PART_BYTES % bsize === 0
  return isKnown
    ? { bytes: blocks * COUNTED_BYTES, unit: bsize }
    : { bytes: Number.POSITIVE_INFINITY, unit: PART_BYTES }
}

/** How many bytes the blocks have in which not all is zero. */
function bytesInUse(bytes: Buffer, unit: number): number {
  let used = 0
  for (let at = 0; at < bytes.length; at += unit) used += isZero(bytes.subarray(at, at + unit)) ? 0 : unit
  return used
}

/**
 * A file's parts of a megabyte in which all is zero. Looks for those that have data from both ends
 * until it has found what there is: data mostly lies at one of them.
 */
export class Holes {
  readonly #size: number
  /** By the part's index. */
  readonly #hasData: boolean[]

  /**
   * @param file the path of what `fd` is open for
   * @returns null if the file has so few holes that they are not worth a look
   */
  static of(file: string, fd: number): Holes | null {
    const stat = fs.fstatSync(fd)
    if (stat.size - stat.blocks * COUNTED_BYTES < FEW_BYTES) return null
    return new Holes(fd, stat.size, allocationOf(file, stat))
  }

  private constructor(fd: number, size: number, { bytes, unit }: Allocation) {
    const parts = Math.ceil(size / PART_BYTES)
    this.#size = size
    this.#hasData = Array.from({ length: parts }, () => false)
    const memory = Buffer.allocUnsafeSlow(PART_BYTES)
    let left = bytes
    for (let i = 0; i < parts && left > 0; i++) {
      const index = i % 2 === 0 ? i / 2 : parts - (i + 1) / 2
      const part = memory.subarray(0, fs.readSync(fd, memory, 0, PART_BYTES, index * PART_BYTES))
      const used = isZero(part) ? 0 : bytesInUse(part, unit)
      this.#hasData[index] = used > 0
      left -= used
    }
  }

  /** `at`, or if there is nothing but zeroes in its part, where the next part with data begins. */
  past(at: number): number {
    const part = Math.floor(at / PART_BYTES)
    if (this.#hasData[part] === true) return at
    const next = this.#hasData.indexOf(true, part)
    return next < 0 ? this.#size : next * PART_BYTES
  }
}
