import { Cursor, DamagedRecord } from './cursor'
import { DEFINE_SHAPE, DEFINE_STRING, INLINE_MESSAGE, NO_ID } from './wire'

type Definition = { what: 'string'; bytes: Buffer } | { what: 'shape'; keys: readonly Buffer[] }

/** What the records of one segment have defined so far (section 4). Strings and shapes share one space of ids. */
export class Dictionary {
  private readonly definitions = new Map<number, Definition>()

  /**
   * Takes in the definition that comes next.
   * @throws DamagedRecord if it breaks section 4; nothing is defined then.
   */
  define(cursor: Cursor): void {
    const id = cursor.u32()
    const what = cursor.u8()
    const body = cursor.take(cursor.u32())
    if (id === NO_ID || id === INLINE_MESSAGE) throw new DamagedRecord(`${id} is not an id to be defined`)
    if (what === DEFINE_STRING) this.definitions.set(id, { what: 'string', bytes: Buffer.from(body) })
    else if (what === DEFINE_SHAPE) this.definitions.set(id, { what: 'shape', keys: readKeys(body) })
    else throw new DamagedRecord(`there is no definition of kind ${what}`)
  }

  /** @throws DamagedRecord if the id is not a string's. */
  string(id: number): Buffer {
    const found = this.definitions.get(id)
    if (found?.what !== 'string') throw new DamagedRecord(`no string has the id ${id}`)
    return found.bytes
  }

  /** @throws DamagedRecord if the id is not a shape's. */
  shape(id: number): readonly Buffer[] {
    const found = this.definitions.get(id)
    if (found?.what !== 'shape') throw new DamagedRecord(`no shape has the id ${id}`)
    return found.keys
  }
}

function readKeys(body: Buffer): Buffer[] {
  const cursor = new Cursor(body, 0, body.length)
  const keys: Buffer[] = []
  while (cursor.left > 0) keys.push(Buffer.from(cursor.take(cursor.u16())))
  return keys
}
