import { SpillwayError } from '../error.ts'
import type { Plan } from './plan.ts'

/**
 * Regions are restored from parts of different checkpoints; what they share would be of two moments at once.
 *
 * Splits are not shared: split i belongs to task i mod parallelism.
 * @throws NOT_REGIONAL
 */
export const checkRegional = ({ stages }: Plan, regions: readonly (readonly string[])[]): void => {
  for (const { nodes } of stages) {
    for (const { name, lineage } of nodes) {
      if (lineage.broadcastEffect !== undefined) {
        throw notRegional(name, 'it has broadcast state, of which all its tasks must have the same')
      }
      if (lineage.unionStates !== undefined) {
        throw notRegional(name, 'it has union state, of which a restore gives each task that of all others')
      }
    }
  }
  for (const { id, pipelines } of stages) {
    for (const { name, sink } of pipelines) {
      if (sink.sharedTransaction !== true || regionsOf(id, regions) < 2) continue
      throw notRegional(name, 'its tasks share a transaction, which would be published with the part of one region')
    }
  }
}

/** In how many regions a stage has tasks. */
const regionsOf = (id: string, regions: readonly (readonly string[])[]): number =>
  regions.filter(tasks => tasks.some(task => task.slice(0, task.lastIndexOf('/')) === id)).length

const notRegional = (place: string, reason: string) =>
  new SpillwayError('NOT_REGIONAL', {
    place,
    problem: `${reason}, so that the job cannot take checkpoints by region.`,
    remedy: 'Leave checkpoints.policy global(), or run this pipeline as a job of its own.',
  })
