import { VirtualTimeScheduler } from 'rxjs'
import type { Subtask } from '../graph/task.ts'
import { writeContainer } from '../snapshot/container.ts'
import { msgpackEncoding } from '../snapshot/encoding.ts'
import { readPiece, readSections, releaseSnapshot } from '../snapshot/format.ts'
import type { RestoredTask, TaskSnapshot } from '../snapshot/snapshot.ts'
import { SnapshotEncoder } from '../snapshot/snapshotEncoder.ts'

/** A task's snapshot as a store would hold it, and whose it is. */
export interface HarnessSnapshot {
  readonly bytes: Uint8Array
  readonly ended: boolean
  readonly subtask: Subtask
}

/**
 * Writes a snapshot as the runtime writes it, so that what a codec or the encoding loses is seen; releases it.
 * @throws NOT_ENCODABLE
 */
export const written = (snapshot: TaskSnapshot, subtask: Subtask): HarnessSnapshot => {
  const scheduler = new VirtualTimeScheduler()
  const encoding = msgpackEncoding()
  let bytes: Uint8Array | undefined
  let failed: { readonly error: unknown } | undefined
  new SnapshotEncoder(encoding, scheduler).encode({
    snapshot,
    stopped: false,
    encoded: ({ state, inFlight }) => {
      bytes = writeContainer([...state.sections, ...inFlight.sections], { encoding: encoding.name })
    },
    failed: error => {
      failed = { error }
    },
  })
  scheduler.flush()
  releaseSnapshot(snapshot)
  if (failed !== undefined) throw failed.error
  return { bytes: bytes as Uint8Array, ended: snapshot.ended, subtask }
}

/** @throws DAMAGED */
export const read = ({ bytes, ended, subtask }: HarnessSnapshot): RestoredTask => {
  const place = `the snapshot of subtask ${subtask.index}`
  const of = { place, encoding: msgpackEncoding() }
  return readSections({ ended, sections: readPiece(bytes, of) }, of)
}
