/**
 * Constants of the record format; the text behind them is docs/reference/record-format.md.
 * Everything is little-endian and unaligned, sizes and offsets are bytes.
 */

/** Section 2: the first byte of a payload. */
export const KIND_TEXT = 1
export const KIND_RECORD = 2
export const KIND_BUNDLE = 3
export const KIND_SPILLED = 4

/** TEXT: where the f64 time lies, and the line behind it. */
export const TEXT_TIME = 1
export const TEXT_LINE = 9

/** BUNDLE: where the u8 number of definitions lies, and the first definition. */
export const BUNDLE_COUNT = 1
export const BUNDLE_DEFINITIONS = 2
export const MAX_BUNDLE_COUNT = 0xff

/** Section 3: the fields of a RECORD, from its kind byte on. */
export const HEADER_KIND = 0
/** u32, id of a template */
export const HEADER_TEMPLATE = 1
/** u32, id of a string or NO_ID */
export const HEADER_BINDINGS = 5
/** f64, ms since the Unix epoch */
export const HEADER_TIME = 9
/** Where the values begin. */
export const HEADER_BYTES = 17

/** In place of an id: there is none. */
export const NO_ID = 0

/** Section 3.1: how the time is printed. */
export const TIME_NONE = 0
/** `,"time":` and the ms */
export const TIME_MS = 1
/** `,"time":` and the ms / 1000, rounded */
export const TIME_SECONDS = 2
/** `,"time":"` and the time as toISOString prints it, `"` */
export const TIME_ISO = 3
/** The text that follows the values. */
export const TIME_TEXT = 4

/** Section 3.2: what a value begins with. */
export const TAG_ABSENT = 0
export const TAG_NULL = 1
export const TAG_FALSE = 2
export const TAG_TRUE = 3
/** i32 */
export const TAG_INT = 4
/** f64 */
export const TAG_NUMBER = 5
/** u8 length, bytes */
export const TAG_SHORT_STRING = 6
/** u32 length, bytes */
export const TAG_STRING = 7
/** u32 length, bytes */
export const TAG_JSON = 8
export const MAX_SHORT_STRING_BYTES = 0xff

/** Section 4: the fields of a definition. */
export const DEFINITION_ID = 0
export const DEFINITION_WHAT = 4
export const DEFINITION_LENGTH = 5
export const DEFINITION_BODY = 9
/** What a definition defines. */
export const DEFINE_STRING = 1
export const DEFINE_TEMPLATE = 2

/** The body of a template. u8, one of TIME_* */
export const TEMPLATE_TIME_FORM = 0
/** u8, one of MESSAGE_* */
export const TEMPLATE_MESSAGE_FORM = 1
/** Where the head lies, and behind it the message and the keys, each behind its u16 length. */
export const TEMPLATE_HEAD = 2
export const TEXT_PREFIX_BYTES = 2
export const MAX_TEXT_BYTES = 0xffff

export const MESSAGE_NONE = 0
/** The template has the message as it is printed, key included. */
export const MESSAGE_FIXED = 1
/** The template has the key, the record a value. */
export const MESSAGE_INLINE = 2
