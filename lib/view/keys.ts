/** The keys of the terminal program, and what they do. */

/** What a key asks for. */
export type Action =
  | 'quit'
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'first'
  | 'last'
  | 'barBack'
  | 'barOn'
  | 'goto'
  | 'detail'
  | 'focus'
  | 'search'
  | 'nextMatch'
  | 'previousMatch'
  | 'nextError'
  | 'previousError'
  | 'level'
  | 'target'
  | 'where'
  | 'since'
  | 'until'
  | 'clear'
  | 'follow'
  | 'histogram'
  | 'help'
  | 'escape'
  | 'suspend'
  | 'redraw'

interface Binding {
  action: Action
  /** As terminal-kit names them. */
  keys: readonly string[]
  /** As a person reads them; empty: not in the help. */
  shown: string
  help: string
}

const BINDINGS: readonly Binding[] = [
  { action: 'up', keys: ['UP', 'k'], shown: '↑ k', help: 'the event before' },
  { action: 'down', keys: ['DOWN', 'j'], shown: '↓ j', help: 'the next event' },
  { action: 'pageUp', keys: ['PAGE_UP', 'CTRL_B', 'b'], shown: 'PgUp b', help: 'a page back' },
  { action: 'pageDown', keys: ['PAGE_DOWN', 'CTRL_F', ' '], shown: 'PgDn Space', help: 'a page on' },
  { action: 'first', keys: ['HOME', 'g'], shown: 'Home g', help: 'the first event' },
  { action: 'last', keys: ['END', 'G'], shown: 'End G', help: 'the last event' },
  { action: 'barBack', keys: ['LEFT', '['], shown: '← [', help: 'the bar of the histogram before' },
  { action: 'barOn', keys: ['RIGHT', ']'], shown: '→ ]', help: 'the next bar' },
  { action: 'goto', keys: [':', '@'], shown: ':', help: 'go to a time' },
  { action: 'detail', keys: ['ENTER', 'KP_ENTER'], shown: 'Enter', help: 'show or hide all of the event' },
  { action: 'focus', keys: ['TAB'], shown: 'Tab', help: 'arrows scroll the event, or move on' },
  { action: 'search', keys: ['/'], shown: '/', help: 'search: a text, or ~ and a regular expression' },
  { action: 'nextMatch', keys: ['n'], shown: 'n', help: 'the next match' },
  { action: 'previousMatch', keys: ['N'], shown: 'N', help: 'the match before' },
  { action: 'nextError', keys: ['e'], shown: 'e', help: 'the next error' },
  { action: 'previousError', keys: ['E'], shown: 'E', help: 'the error before' },
  { action: 'level', keys: ['l'], shown: 'l', help: 'filter: least level' },
  { action: 'target', keys: ['t'], shown: 't', help: 'filter: logger' },
  { action: 'where', keys: ['w', '='], shown: 'w', help: 'filter: FIELD=VALUE or FIELD~PATTERN' },
  { action: 'since', keys: ['s'], shown: 's', help: 'filter: events from a time on' },
  { action: 'until', keys: ['u'], shown: 'u', help: 'filter: events before a time' },
  { action: 'clear', keys: ['x'], shown: 'x', help: 'no filter' },
  { action: 'follow', keys: ['f'], shown: 'f', help: 'follow what is logged, or no longer' },
  { action: 'histogram', keys: ['h'], shown: 'h', help: 'show or hide the histogram' },
  { action: 'help', keys: ['?', 'F1'], shown: '?', help: 'this help' },
  { action: 'escape', keys: ['ESCAPE'], shown: 'Esc', help: 'give up a search; close what is open' },
  { action: 'suspend', keys: ['CTRL_Z'], shown: 'Ctrl-Z', help: 'to the shell; fg comes back' },
  { action: 'redraw', keys: ['CTRL_L'], shown: 'Ctrl-L', help: 'draw the screen anew' },
  { action: 'quit', keys: ['q', 'CTRL_C'], shown: 'q Ctrl-C', help: 'quit' }
]

const ACTIONS = new Map(BINDINGS.flatMap(({ keys, action }) => keys.map(key => [key, action] as const)))

/** What a key asks for; undefined: nothing. */
export const actionOf = (key: string): Action | undefined => ACTIONS.get(key)

/** Keys and what they do. */
export const KEYS_HELP: readonly { shown: string; help: string }[] = BINDINGS.filter(({ shown }) => shown !== '')

/** What the help line has room for, the most useful first. */
export const HELP_LINE: readonly { key: string; word: string }[] = [
  { key: '?', word: 'help' },
  { key: 'q', word: 'quit' },
  { key: '/', word: 'search' },
  { key: 'n N', word: 'next' },
  { key: 'e E', word: 'error' },
  { key: 'Enter', word: 'detail' },
  { key: 'f', word: 'follow' },
  { key: 'l', word: 'level' },
  { key: 'w', word: 'where' },
  { key: 't', word: 'target' },
  { key: 's u', word: 'time' },
  { key: 'x', word: 'no filter' },
  { key: '[ ]', word: 'bar' },
  { key: ':', word: 'go to' }
]
