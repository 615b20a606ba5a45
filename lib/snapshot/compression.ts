/**
 * Makes the bytes of a chunk fewer, such as `zlib()` of `spillway/node`.
 *
 * Contract: both are synchronous, and are called in slices of the executor with some tens of kilobytes; what they give belongs to
 * the caller. `decompress` gives back what `compress` was given; for any other bytes it throws, or gives something, but never makes
 * much more than `length` bytes.
 */
export interface Compression {
  /** Written beside what is compressed, and looked for at reading; at most 255 bytes of UTF-8. */
  readonly name: string
  compress(bytes: Uint8Array): Uint8Array
  /** `length`: of what `compress` was given. */
  decompress(bytes: Uint8Array, length: number): Uint8Array
}
