const halfBits = 6;
const half = 1 << halfBits;

/**
 * Counts durations in us, 0 to 2^32 - 1, in buckets that are at most 1/64 of their value wide. One addition per
 * value, 14 KB, whatever is recorded.
 */
export class Histogram {
  readonly #counts = new Float64Array((32 - halfBits) * half + half);
  #total = 0;

  record(micros: number): void {
    this.#counts[bucketOf(micros)]! += 1;
    this.#total += 1;
  }

  get count(): number {
    return this.#total;
  }

  /** The value that `share` (0..1) of all recorded ones do not exceed, rounded up to its bucket's edge; null when empty. */
  quantile(share: number): number | null {
    if (this.#total === 0) return null;
    const rank = Math.max(1, Math.ceil(this.#total * share));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return upperEdgeOf(bucket);
    }
    throw new RangeError(`no quantile ${share}: 0 to 1`);
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }
}

function bucketOf(micros: number): number {
  if (micros < 2 * half) return micros;
  const shift = 31 - Math.clz32(micros) - halfBits;
  return shift * half + (micros >>> shift);
}

function upperEdgeOf(bucket: number): number {
  if (bucket < 2 * half) return bucket;
  const shift = (bucket >> halfBits) - 1;
  return (bucket - shift * half + 1) * 2 ** shift - 1;
}
