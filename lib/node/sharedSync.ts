/**
 * Syncs directories; whoever comes while one is being synced shares the next sync of it with all others that do.
 *
 * A sync that has begun may have missed what its caller has just linked, so nobody joins that one. At most one sync of a
 * directory is under way and one to come, however many wait. A sync that fails fails all who share it, and no others.
 */
export const sharedSync = (sync: (directory: string) => Promise<void>): ((directory: string) => Promise<void>) => {
  const underWay = new Map<string, Syncing>()

  const begin = (directory: string): Promise<void> => {
    const syncing: Syncing = { done: sync(directory), next: undefined }
    underWay.set(directory, syncing)
    const ended = () => {
      if (syncing.next === undefined) underWay.delete(directory)
    }
    syncing.done.then(ended, ended)
    return syncing.done
  }

  return directory => {
    const syncing = underWay.get(directory)
    if (syncing === undefined) return begin(directory)
    const afterwards = () => begin(directory)
    syncing.next ??= syncing.done.then(afterwards, afterwards)
    return syncing.next
  }
}

interface Syncing {
  readonly done: Promise<void>
  /** For those that came while it was under way. */
  next: Promise<void> | undefined
}
