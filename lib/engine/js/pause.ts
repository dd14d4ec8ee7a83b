// Made when it is first needed: a start-up snapshot is built where there are no shared buffers.
let cell: Int32Array | undefined

/** Blocks this thread. For the few waits that a synchronous call cannot do otherwise. */
export function pause(milliseconds: number): void {
  cell ??= new Int32Array(new SharedArrayBuffer(4))
  Atomics.wait(cell, 0, 0, milliseconds)
}
