export { inPlace } from '../graph/inPlace.ts'
export { type Environment, runIn } from '../runtime/run.ts'
