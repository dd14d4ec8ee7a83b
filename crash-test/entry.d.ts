/** A random generator with a seed: returns numbers in [0, 1). */
export function random(seed: number): () => number
