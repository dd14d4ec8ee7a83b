const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** `1536` as `1.5 KiB`. */
export function humanBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}` : `${value.toFixed(1)} ${UNITS[unit]}`
}

/** `1234567` as `1,234,567`. */
export function humanCount(count: number | bigint): string {
  return count.toLocaleString('en-US')
}

/** `1 entry`, `2 entries`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`
}
