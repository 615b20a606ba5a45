import { checkpoints } from '../../lib/coordination/checkpoints.ts'
import { initialCheckpoints } from '../../lib/coordination/checkpointsState.ts'
import type { Acknowledged, CheckpointEvent, CheckpointOrder } from '../../lib/coordination/events.ts'
import { global } from '../../lib/coordination/policy.ts'
import { objectsOf } from '../../lib/snapshot/snapshot.ts'
import { transcript } from '../channel/pictures.ts'
import { storedAs } from '../storedAs.ts'

export const acknowledged = (task: string, of: { checkpoint: number; ended?: boolean }): Acknowledged => {
  const { checkpoint, ended = false } = of
  return {
    kind: 'acknowledged',
    checkpoint,
    snapshot: storedAs(ended ? `ended/${task}` : `${checkpoint}/${task}`, { task, ended }),
    sizes: { stateBytes: 10, inFlightBytes: 5, inFlightRecords: 2 },
    times: {
      startDelayMs: 1,
      alignmentMs: 2,
      processedDuringAlignment: 0,
      syncMs: 3,
      begunAtMs: 0,
      wholeAtMs: 0,
      asyncMs: 4,
    },
  }
}

export const committedBy = ({ parts }: CheckpointOrder & { kind: 'commit' }): readonly string[] =>
  parts.flatMap(({ tasks }) => tasks.flatMap(objectsOf))

const order = (of: CheckpointOrder): string => {
  switch (of.kind) {
    case 'trigger':
      return `trigger ${of.barrier.checkpoint}${of.barrier.savepoint ? ' as savepoint' : ''}${of.stops ? ' and stop' : ''},`
    case 'commit':
      return `commit ${of.checkpoint}: ${committedBy(of).join(' ')},`
    case 'publish':
    case 'notify':
    case 'abort':
      return `${of.kind} ${of.checkpoint},`
    case 'refuse':
      return `refuse ${of.request} ${of.reason},`
    case 'report': {
      const { id, outcome, kind } = of.report
      return `report ${id} ${outcome}${kind === 'final' ? ', final' : ''}${of.request === undefined ? '' : ` for ${of.request}`},`
    }
    case 'release':
      return `release ${[...of.objects, ...of.entries.map(n => `entry ${n}`)].join(' ')},`
    case 'stop':
      return `stop ${of.tasks.join(' ')} for ${of.restartInMs},`
    case 'beginEpoch':
      return `beginEpoch ${of.tasks.join(' ')},`
    case 'restart':
      return `restart ${of.tasks.join(' ')} from ${of.from?.checkpoint ?? 'the start'},`
    case 'save':
      return `save ${of.of === 'what is published' ? of.of : of.of.checkpoint} for ${of.request},`
    case 'failJob':
    case 'drain':
    case 'resume':
    case 'finished':
      return `${of.kind},`
  }
}

const tasksOf = (words: readonly string[]): readonly string[] => words.filter(word => word !== '')

/** `a b, b has ended` */
const restarted = (words: readonly string[]): CheckpointEvent => {
  const [tasks = '', ended = ''] = words.join(' ').split(', ')
  const [last] = ended.split(' ')
  return {
    kind: 'restarted',
    tasks: tasks.split(' '),
    ended: new Map(
      ended === '' ? [] : [[last as string, acknowledged(last as string, { checkpoint: 1, ended: true })]],
    ),
  }
}

export const parsed = (line: string): CheckpointEvent => {
  const [kind, ...rest] = line.split(' ')
  const [first, second] = rest
  const checkpoint = Number(first)
  switch (kind) {
    case 'due':
      return { kind: 'requested', alignment: 'aligned' }
    case 'user':
      return { kind: 'requested', alignment: 'unaligned', request: checkpoint }
    // What for: `save`, `stop` or both.
    case 'wants':
      return {
        kind: 'requested',
        alignment: 'aligned',
        request: checkpoint,
        purpose: { save: rest.includes('save'), stop: rest.includes('stop') },
      }
    case 'drain':
      return { kind: 'drainRequested', request: checkpoint, save: second === 'save' }
    case 'saved':
    case 'saveFailed':
      return { kind, request: checkpoint }
    case 'ack':
      return acknowledged(second as string, { checkpoint })
    case 'end':
      return acknowledged(second as string, { checkpoint, ended: true })
    case 'decline':
      return { kind: 'declined', task: second as string, ended: false, checkpoint, reason: 'no', cause: 'declined' }
    case 'declineEnd':
      return { kind: 'declined', task: second as string, ended: true, checkpoint, reason: 'no', cause: 'io' }
    case 'expire':
      return { kind: 'expired', checkpoint }
    // The entry's number is the checkpoint's plus 10.
    case 'committed':
      return { kind, checkpoint, entry: checkpoint + 10 }
    case 'commitFailed':
      return { kind, checkpoint, reason: 'no' }
    case 'published':
      return { kind, tasks: [second as string], checkpoint }
    // The tasks are those of its group: `a b` or `c`.
    case 'stands':
      return {
        kind,
        checkpoint,
        entry: checkpoint + 10,
        parts: [{ tasks: tasksOf(rest.slice(1)).map(task => acknowledged(task, { checkpoint }).snapshot) }],
      }
    case 'restartDue':
      return { kind, task: first as string }
    case 'epochBegun':
      return { kind, tasks: tasksOf(rest), epoch: 2 }
    case 'epochFailed':
      return { kind, tasks: tasksOf(rest), error: new Error('no') }
    case 'restarted':
      return restarted(rest)
    default:
      return { kind: 'failed', task: first as string, error: new Error('no') }
  }
}

/** The coordinator's transcript: each line an event, and what it says to it. */
export const told = (lines: readonly string[], options: Partial<Parameters<typeof initialCheckpoints>[0]> = {}) => {
  let state = initialCheckpoints({ policy: global(), connected: [['a', 'b']], nextId: 1, retainedCount: 1, ...options })
  const said: string[] = []
  const kinds = [
    'due',
    'user',
    'wants',
    'drain',
    'saved',
    'saveFailed',
    'ack',
    'end',
    'decline',
    'declineEnd',
    'expire',
    'committed',
    'commitFailed',
    'published',
    'failed',
    'stands',
    'restartDue',
    'epochBegun',
    'epochFailed',
    'restarted',
  ]
  const hear = (kind: string) => (rest: string) => {
    const [next, orders] = checkpoints(state, parsed(`${kind} ${rest}`), 0)
    state = next
    said.push(...orders.map(order))
  }
  return transcript(lines, { said, commands: Object.fromEntries(kinds.map(kind => [kind, hear(kind)])) })
}
