import type { StoredSnapshot, TaskId } from '../lib/snapshot/snapshot.ts'

/** A snapshot in an object of its own. */
export const storedAs = (object: string, of: { readonly task: TaskId; readonly ended?: boolean }): StoredSnapshot => ({
  task: of.task,
  ended: of.ended ?? false,
  sections: [],
  pieces: [{ holds: 'state', object, begin: 0, bytes: 1, crc: 1 }],
})
