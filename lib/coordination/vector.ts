/**
 * An immutable array of a fixed length. To set a member copies some tens of members, however long it is, so that ten thousand
 * acknowledgements cost what they should.
 */
export interface Vector<out A> {
  readonly length: number
  readonly chunks: readonly (readonly A[])[]
}

export const vectorOf = <A>(length: number, member: (i: number) => A): Vector<A> => ({
  length,
  chunks: Array.from({ length: Math.ceil(length / chunkSize) }, (_, chunk) =>
    Array.from({ length: Math.min(chunkSize, length - chunk * chunkSize) }, (_, i) => member(chunk * chunkSize + i)),
  ),
})

/** A member that is there. */
export const memberOf = <A>({ chunks }: Vector<A>, i: number): A =>
  (chunks[Math.floor(i / chunkSize)] as readonly A[])[i % chunkSize] as A

export const withMember = <A>({ length, chunks }: Vector<A>, i: number, member: A): Vector<A> => {
  const at = Math.floor(i / chunkSize)
  const chunk = [...(chunks[at] as readonly A[])]
  chunk[i % chunkSize] = member
  const others = [...chunks]
  others[at] = chunk
  return { length, chunks: others }
}

export const membersOf = <A>({ chunks }: Vector<A>): readonly A[] => chunks.flat()

const chunkSize = 64
