/** Which keys records have beside those that all may have, and the types of their columns. */

/** Type of a column; none: nothing but null was seen. */
export type ColumnType = 'none' | 'BOOLEAN' | 'BIGINT' | 'HUGEINT' | 'DOUBLE' | 'VARCHAR' | 'JSON'

/** Further keys get no column: records whose keys are data would make a table of them. */
export const MOST_KEYS = 500
/** Integers of so many digits and more need not fit into 64 bits. */
const MOST_HUGE = 1e38

/** The type of a column that takes both. */
export function joined(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b || b === 'none') return a
  if (a === 'none') return b
  if (a === 'JSON' || b === 'JSON') return 'JSON'
  const both = [a, b]
  if (both.includes('VARCHAR') || both.includes('BOOLEAN')) return 'VARCHAR'
  return both.includes('DOUBLE') ? 'DOUBLE' : 'HUGEINT'
}

/** The type for a value. */
export function typeOfValue(value: unknown): ColumnType {
  switch (typeof value) {
    case 'boolean':
      return 'BOOLEAN'
    case 'string':
      return 'VARCHAR'
    case 'bigint':
      return BigInt.asIntN(60, value) === value ? 'BIGINT' : 'HUGEINT'
    case 'number':
      if (Number.isSafeInteger(value)) return 'BIGINT'
      return Number.isInteger(value) && Math.abs(value) < MOST_HUGE ? 'HUGEINT' : 'DOUBLE'
    default:
      return value === null || value === undefined ? 'none' : 'JSON'
  }
}

const OF_JSON: Readonly<Record<string, ColumnType>> = {
  BOOLEAN: 'BOOLEAN',
  BIGINT: 'HUGEINT',
  UBIGINT: 'HUGEINT',
  HUGEINT: 'HUGEINT',
  DOUBLE: 'DOUBLE',
  OBJECT: 'JSON',
  ARRAY: 'JSON'
}

/** The type for a value that is not of the type `now`, by what DuckDB calls it. */
export function widened(now: ColumnType, jsonType: string): ColumnType {
  const wide = joined(now, OF_JSON[jsonType] ?? 'VARCHAR')
  if (wide !== now) return wide
  // A number that fits into none of the types of numbers.
  return now === 'BIGINT' || now === 'HUGEINT' ? 'DOUBLE' : 'VARCHAR'
}

/** Whether a column can be called so. */
const canBeColumn = (key: string): boolean => key !== '' && !key.includes('\0')

/** Keys in the order in which they were met, and the types of all values that were seen of each. */
export class Keys {
  readonly types = new Map<string, ColumnType>()

  /** @param without keys that have columns of their own */
  constructor(private readonly without: ReadonlySet<string>) {}

  add(key: string, type: ColumnType): void {
    const known = this.types.get(key)
    if (known !== undefined) this.types.set(key, joined(known, type))
    else if (this.types.size < MOST_KEYS && canBeColumn(key) && !this.without.has(key)) this.types.set(key, type)
  }

  addRecord(record: Readonly<Record<string, unknown>>): void {
    for (const key in record) this.add(key, typeOfValue(record[key]))
  }
}
