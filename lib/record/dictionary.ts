import { Cursor, DamagedRecord } from './cursor'
import { DEFINE_STRING, DEFINE_TEMPLATE, MESSAGE_INLINE, MESSAGE_NONE, NO_ID, TIME_TEXT } from './wire'

/** What lines have in common, each text as it is printed. */
export interface Template {
  /** One of TIME_*. */
  timeForm: number
  /** One of MESSAGE_*. */
  messageForm: number
  head: Buffer
  /** The message with its key, its key alone, or nothing, as `messageForm` says. */
  message: Buffer
  keys: readonly Buffer[]
}

type Definition = { what: 'string'; bytes: Buffer } | { what: 'template'; template: Template }

/**
 * What the records of one segment have defined so far (section 4). Strings and templates share one
 * space of ids.
 */
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
    if (id === NO_ID) throw new DamagedRecord(`${id} is not an id to be defined`)
    this.definitions.set(id, readDefinition(what, body))
  }

  /** @throws DamagedRecord if the id is not a string's. */
  string(id: number): Buffer {
    const found = this.definitions.get(id)
    if (found?.what !== 'string') throw new DamagedRecord(`no string has the id ${id}`)
    return found.bytes
  }

  /** @throws DamagedRecord if the id is not a template's. */
  template(id: number): Template {
    const found = this.definitions.get(id)
    if (found?.what !== 'template') throw new DamagedRecord(`no template has the id ${id}`)
    return found.template
  }
}

function readDefinition(what: number, body: Buffer): Definition {
  if (what === DEFINE_STRING) return { what: 'string', bytes: Buffer.from(body) }
  if (what === DEFINE_TEMPLATE) return { what: 'template', template: readTemplate(body) }
  throw new DamagedRecord(`there is no definition of kind ${what}`)
}

function readTemplate(body: Buffer): Template {
  const cursor = new Cursor(body, 0, body.length)
  const timeForm = cursor.u8()
  if (timeForm > TIME_TEXT) throw new DamagedRecord(`there is no timeForm ${timeForm}`)
  const messageForm = cursor.u8()
  if (messageForm > MESSAGE_INLINE) throw new DamagedRecord(`there is no messageForm ${messageForm}`)
  const head = readText(cursor)
  const message = readText(cursor)
  if (messageForm === MESSAGE_NONE && message.length > 0) throw new DamagedRecord('a message where there is none')
  const keys: Buffer[] = []
  while (cursor.left > 0) keys.push(readText(cursor))
  return { timeForm, messageForm, head, message, keys }
}

const readText = (cursor: Cursor): Buffer => Buffer.from(cursor.take(cursor.u16()))
