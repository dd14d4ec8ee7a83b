const cell = new Int32Array(new SharedArrayBuffer(4))

/** Blocks this thread. For the few waits that a synchronous call cannot do otherwise. */
export function pause(milliseconds: number): void {
  Atomics.wait(cell, 0, 0, milliseconds)
}
