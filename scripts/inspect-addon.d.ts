/** What must hold of an addon that is shipped; throws with what is wrong. */
export function inspect(
  file: string,
  platform: { arch: string; libc: string }
): { size: number; glibc: string | null; libraries: string[] }

/** Oldest glibc that an addon may need. */
export const GLIBC_FLOOR: string
