import { messageOf, SpillwayError } from '../error.ts'

/** What a store's methods fail with, worded once for all stores. */
export const objectExists = (store: string, object: string) =>
  new SpillwayError('OBJECT_EXISTS', {
    place: `${store}, object ${object}`,
    problem: 'an object of this name exists, and names are never used again.',
    remedy: 'Give each job a store of its own.',
  })

export const objectNotFound = (store: string, object: string) =>
  new SpillwayError('OBJECT_NOT_FOUND', {
    place: `${store}, ${object}`,
    problem: 'there is none.',
    remedy: 'Check that this is the store that the job wrote to, and that nobody removed anything from it.',
  })

export const fenced = (store: string, n: number) =>
  new SpillwayError('FENCED', {
    place: `${store}, log entry ${n}`,
    problem: 'another has written it, so a newer start of the job has taken over.',
    remedy: 'Let the newer one run, and see to it that a job is only started again when it has stopped.',
  })

/** Passes errors that have a code on; everything else the medium's own message explains, and `remedy` if there is one. */
export const storeFailed = (
  place: string,
  cause: unknown,
  remedy = 'See the cause; the store may work again later.',
) =>
  cause instanceof SpillwayError
    ? cause
    : new SpillwayError('STORE_FAILED', { place, problem: `failed with "${messageOf(cause)}".`, remedy, cause })
