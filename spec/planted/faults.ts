/** One mutation of the engine: in `file`, `from` (which stands there once) becomes `to`. */
export interface Planted {
  readonly what: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** Found by this spec, where no run of a whole job could show it; else by simulation. */
  readonly spec?: string
}

/** What would be wrong if one line were. Every one must be found; a spec sees to it that all apply. */
export const planted: readonly Planted[] = [
  {
    what: 'an overtaken buffer is not captured',
    file: 'lib/channel/channel.ts',
    from: 'Math.max(0, before)).filter(isData)',
    to: 'Math.max(0, before)).filter(isData).slice(1)',
  },
  {
    what: 'what arrives before its barrier is captured twice',
    file: 'lib/channel/channel.ts',
    from: `        if (this.#held) this.#uncount(1)
        this.#capture(element)
        break
      case 'cancel':`,
    to: `        if (this.#held) this.#uncount(1)
        this.#capture(element)
        this.#capture(element)
        break
      case 'cancel':`,
  },
  {
    what: 'what is queued in a channel that is held behind a marker fills its producer',
    file: 'lib/channel/channel.ts',
    from: 'if (held) this.#uncount(this.queued)',
    to: '',
    spec: 'spec/channel/channel.spec.ts',
  },
  {
    what: 'a watermark is left out of the in-flight data',
    file: 'lib/channel/channel.ts',
    from: "kind === 'buffer' || kind === 'watermark' || kind === 'idle'",
    to: "kind === 'buffer' || kind === 'idle'",
    spec: 'spec/channel/channel.spec.ts',
  },
  {
    what: 'in-flight data is restored in the wrong order',
    file: 'lib/channel/channel.ts',
    from: `for (const element of elements) {
      if (element.kind === 'buffer') this.producer`,
    to: `for (const element of elements.toReversed()) {
      if (element.kind === 'buffer') this.producer`,
  },
  {
    what: 'a blocked channel is not blocked',
    file: 'lib/alignment/exactlyOnce.ts',
    from: '[{ ...state, underWay: blocking }, [block]]',
    to: '[{ ...state, underWay: blocking }, []]',
  },
  {
    what: 'a blocked channel is opened too early, when the second barrier comes',
    file: 'lib/alignment/exactlyOnce.ts',
    from: '[{ ...state, underWay: blocking }, [block]]',
    to: '[{ ...state, underWay: blocking }, [...unblock(underWay), block]]',
  },
  {
    what: 'the number of a barrier is not checked',
    file: 'lib/alignment/exactlyOnce.ts',
    from: 'if (underWay?.barrier.checkpoint === barrier.checkpoint) {',
    to: 'if (underWay !== undefined) {',
    spec: 'spec/alignment/alignment.spec.ts',
  },
  {
    what: 'a channel that has ended is waited for',
    file: 'lib/alignment/exactlyOnce.ts',
    from: 'missing: channels - ended.count,',
    to: 'missing: channels,',
    spec: 'spec/alignment/alignment.spec.ts',
  },
  {
    what: 'a barrier that is taken late does not turn its checkpoint',
    file: 'lib/alignment/exactlyOnce.ts',
    from: 'limitMs !== undefined && nowMs > limitMs',
    to: 'false',
    spec: 'spec/alignment/cases.spec.ts',
  },
  {
    what: 'the limit is counted from the first barrier taken, not from the trigger',
    file: 'lib/alignment/exactlyOnce.ts',
    from: 'const isLate = ({ limitMs }: UnderWay, { nowMs }: Moment): boolean => limitMs !== undefined && nowMs > limitMs',
    to: `const isLate = ({ limitMs, barrier, first }: UnderWay, { nowMs }: Moment): boolean =>
  limitMs !== undefined && nowMs - (first?.nowMs ?? nowMs) > limitMs - barrier.timestampMs`,
    spec: 'spec/alignment/cases.spec.ts',
  },
  {
    what: 'channels are unblocked when their checkpoint turns unaligned',
    file: 'lib/alignment/exactlyOnce.ts',
    from: 'startDelayMs: delayMs }, ...capture],',
    to: 'startDelayMs: delayMs }, ...capture, ...unblock(underWay)],',
    spec: 'spec/alignment/cases.spec.ts',
  },
  {
    what: 'a barrier that arrives after its checkpoint has turned stays in its place',
    file: 'lib/alignment/exactlyOnce.ts',
    from: "return underWay.phase === 'aligned'\n    ? [next, effects]",
    to: "return underWay.phase !== 'turned'\n    ? [next, effects]",
    spec: 'spec/alignment/cases.spec.ts',
  },
  {
    what: 'a barrier that has moved to the head still counts where it stood',
    file: 'lib/channel/channel.ts',
    from: `    this.#pushed--
    const place`,
    to: `    const place`,
    spec: 'spec/alignment/alignment.spec.ts',
  },
  {
    what: 'a checkpoint that begins at least once leaves the older ones under way',
    file: 'lib/alignment/atLeastOnce.ts',
    from: `  return [
    { ...state, underWay: state.underWay.filter(tracked => idOf(tracked) > checkpoint) },`,
    to: `  return [
    { ...state, underWay: state.underWay.filter(tracked => idOf(tracked) !== checkpoint) },`,
    spec: 'spec/alignment/cases.spec.ts',
  },
  {
    what: 'state is captured after later records',
    file: 'lib/runtime/task.ts',
    from: 'this.#report(snapshot.finished(snapshot.metrics, this.scheduler.now()))',
    to: 'this.#report({ ...snapshot.finished(snapshot.metrics, this.scheduler.now()), operators: this.#capture() })',
  },
  {
    what: 'the state of a suspended call is captured as it is in its midst',
    file: 'lib/state/operatorState.ts',
    from: 'beforeCall: this.callOpen',
    to: 'beforeCall: false',
  },
  {
    what: 'a frame is restored one result too far',
    file: 'lib/graph/handling.ts',
    from: `    this.#out.skip = delivered
    this.#restoredShares = shares
    this.#more`,
    to: `    this.#out.skip = delivered + 1
    this.#restoredShares = shares
    this.#more`,
  },
  {
    what: 'a frame is restored one result too early',
    file: 'lib/graph/handling.ts',
    from: `    this.#out.skip = delivered
    this.#restoredShares = shares
    this.#more`,
    to: `    this.#out.skip = Math.max(0, delivered - 1)
    this.#restoredShares = shares
    this.#more`,
  },
  {
    what: 'what waits behind a suspended call is left out of its frame',
    file: 'lib/graph/handling.ts',
    from: 'const pending = [...this.#pending]',
    to: 'const pending: StreamElement<T>[] = []',
  },
  {
    what: 'a projection that resumes is asked for one result too few',
    file: 'lib/graph/handling.ts',
    from: 'results.from(this.#out.skipAll())',
    to: 'results.from(this.#out.skipAll() + Number(this.#out.delivered > 0))',
    spec: 'spec/graph/suspension.spec.ts',
  },
  {
    what: 'what was delivered of an array is delivered again',
    file: 'lib/graph/handling.ts',
    from: 'for (let i = out.skipAll(results.length); i',
    to: 'for (let i = 0 * out.skipAll(results.length); i',
  },
  {
    what: 'a frame does not say which timer was firing',
    file: 'lib/graph/handling.ts',
    from: 'const due = work.firing ?? this',
    to: 'const due = this',
    spec: 'spec/graph/suspension.spec.ts',
  },
  {
    what: 'a timer whose call is suspended is forgotten',
    file: 'lib/graph/handling.ts',
    from: `        this.#state.calls.begin()
        out.beginTimer(due.timeMs, due.group)
        const call = this.#call as KeyedCall
        call.begin(due.key, due.group)
        call.timeMs = due.timeMs
        call.watermarkMs = this.#groups.of(due.group, this.#watermarkMs)
        call.operatorWatermarkMs = call.watermarkMs
        timers.delete(due.key, due.timeMs)
        work.firing = due
`,
    to: `        timers.delete(due.key, due.timeMs)
        this.#state.calls.begin()
        out.beginTimer(due.timeMs, due.group)
        const call = this.#call as KeyedCall
        call.begin(due.key, due.group)
        call.timeMs = due.timeMs
        call.watermarkMs = this.#groups.of(due.group, this.#watermarkMs)
        call.operatorWatermarkMs = call.watermarkMs
`,
  },
  {
    what: 'a split that has ended is left out of the snapshot',
    file: 'lib/graph/reading.ts',
    from: '[...this.#stands, ...open]',
    to: 'open',
  },
  {
    what: 'the largest times of splits are not restored',
    file: 'operators/eventTime.ts',
    from: 'for (const [split, largestMs] of stored) times.set(split, largestMs)',
    to: 'stored.keys()',
    spec: 'spec/laws/operators.spec.ts',
  },
  {
    what: 'the watermark of several channels is the largest',
    file: 'lib/time/watermarks.ts',
    from: 'if (timeMs < smallestMs) {',
    to: 'if (smallestMs === Number.POSITIVE_INFINITY || timeMs > smallestMs) {',
  },
  {
    what: 'a lateness note is lost in the writer',
    file: 'lib/channel/writer.ts',
    from: 'if (from.notes !== undefined) partial.note(at, from.notes[i] as number)',
    to: '',
  },
  {
    what: 'a barrier overtakes what is partly filled',
    file: 'lib/channel/writer.ts',
    from: `  #sendToAll(element: StreamElement<T>): void {
    this.flush()`,
    to: `  #sendToAll(element: StreamElement<T>): void {
    if (element.kind !== 'barrier') this.flush()`,
  },
  {
    what: 'a producer is not woken when its channels are free again',
    file: 'lib/channel/budget.ts',
    from: 'if (!before && this.available) this.#budget.tell(this)',
    to: '',
  },
  {
    what: 'a pool that waits for the budget is passed over',
    file: 'lib/channel/budget.ts',
    from: '    next.drawn()\n',
    to: '',
    spec: 'spec/channel/budget.spec.ts',
  },
  {
    what: 'records of any input count for the first',
    file: 'lib/runtime/task.ts',
    from: "this.#debloaters[input]?.happened({ kind: 'added'",
    to: "this.#debloaters[0]?.happened({ kind: 'added'",
    spec: 'spec/runtime/debloat.spec.ts',
  },
  {
    what: 'debloating that is turned on while the job runs has no effect',
    file: 'lib/runtime/execution.ts',
    from: `this.#configured()
    this.#debloat()`,
    to: 'this.#configured()',
    spec: 'spec/runtime/debloat.spec.ts',
  },
  {
    what: 'buffers stay small when debloating is turned off',
    file: 'lib/runtime/debloater.ts',
    from: 'this.#announce(Number.POSITIVE_INFINITY)',
    to: '',
    spec: 'spec/runtime/debloat.spec.ts',
  },
  {
    what: 'a buffer that is being filled is not in use',
    file: 'lib/channel/channel.ts',
    from: 'return this.#buffers + (this.filling ? 1 : 0)',
    to: 'return this.#buffers',
    spec: 'spec/channel/writer.spec.ts',
  },
  {
    what: 'a broadcast is as large as its first consumer wishes',
    file: 'lib/channel/writer.ts',
    from: "if (this.#options.dealing.kind === 'broadcast') return this.batchRecordsMax",
    to: '',
    spec: 'spec/channel/writer.spec.ts',
  },
  {
    what: 'a writer without a buffer left sends small ones all the same',
    file: 'lib/channel/writer.ts',
    from: 'if (count < this.#options.bufferRecordsMax && !this.#options.pool.available) return',
    to: '',
    spec: 'spec/channel/writer.spec.ts',
  },
  {
    what: 'a buffer that is being filled keeps its old size',
    file: 'lib/channel/writer.ts',
    from: 'for (let id = 0; id < this.#partials.length; id++) this.#resize(id)',
    to: '',
    spec: 'spec/channel/writer.spec.ts',
  },
  {
    what: 'a buffer that is given back to the budget is given to nobody who waits',
    file: 'lib/channel/budget.ts',
    from: 'if (next === undefined || this.free === 0) return',
    to: 'if (next !== undefined || this.free === 0) return',
    spec: 'spec/runtime/stalled.spec.ts',
  },
  {
    what: 'a snapshot that is written still holds what it has captured',
    file: 'lib/channel/captureBudget.ts',
    from: '    this.#budget.giveBack(this.#buffers)\n',
    to: '',
  },
  {
    what: 'what is captured beyond the budget is held all the same',
    file: 'lib/channel/captureBudget.ts',
    from: 'if (this.#held + buffers > this.buffersMax) return false',
    to: '',
    spec: 'spec/runtime/captured.spec.ts',
  },
  {
    what: 'a snapshot that could not hold all that is in flight is written as if it were whole',
    file: 'lib/runtime/snapshotUnderWay.ts',
    from: `    if (buffers.refused) {
      this.release()`,
    to: `    if (buffers.buffersMax < 0) {
      this.release()`,
    spec: 'spec/runtime/captured.spec.ts',
  },
  {
    what: 'what a restore puts into a channel is not counted',
    file: 'lib/channel/channel.ts',
    from: "if (element.kind === 'buffer') this.producer?.restored(this.queued + 1)",
    to: '',
  },
  {
    what: 'the key group of a record is off by one',
    file: 'lib/channel/writer.ts',
    from: 'channelOf[groups[i] as number] as number',
    to: 'channelOf[(groups[i] as number) + 1] as number',
    spec: 'spec/channel/writer.spec.ts',
  },
  {
    what: 'the first key group of a task is off by one',
    file: 'lib/state/keyGroups.ts',
    from: 'begin: Math.ceil((subtask * groups) / parallelism)',
    to: 'begin: Math.ceil((subtask * groups) / parallelism) + 1',
    spec: 'spec/state/keyGroups.spec.ts',
  },
  {
    what: 'sinks publish before the checkpoint is durable',
    file: 'lib/coordination/checkpoints.ts',
    from: 'committing: { regions, completes } } }, [order]]',
    to: `committing: { regions, completes } } },
      [order, { kind: 'publish', checkpoint: order.checkpoint, regions, tasks: state.layout.tasks }]]`,
  },
  {
    what: 'the job is done before its sinks have published',
    file: 'lib/coordination/checkpointsState.ts',
    from: "unpublished === 0 ? [{ kind: 'finished' }] : []",
    to: "[{ kind: 'finished' }]",
  },
  {
    what: 'a snapshot of another checkpoint is taken for the pending one',
    file: 'lib/coordination/checkpoints.ts',
    from: 'snapshot.ended ? checkpoint <= barrier.checkpoint : checkpoint === barrier.checkpoint',
    to: 'snapshot.ended ? true : checkpoint === barrier.checkpoint',
  },
  {
    what: 'a part is committed before its snapshots are stored',
    file: 'lib/control/snapshotWriter.ts',
    from: 'this.#take(putting, () => this.#stateIsKept())',
    to: 'this.#take(putting, () => {})\n    this.#stateIsKept()',
  },
  {
    what: 'a region waits for the file that it shares with another',
    file: 'lib/snapshot/sharedFiles.ts',
    from: 'this.#regions.size === 0 || (region.missing === 0 && this.#open.some(of => of.region === region))',
    to: 'this.#regions.size === 0',
    spec: 'spec/snapshot/sharedFiles.spec.ts',
  },
  {
    what: 'a file is deleted with the first part that fails of those that share it',
    file: 'lib/coordination/checkpointsState.ts',
    from: 'if (state.pending !== undefined) return [{ ...state, unneeded',
    to: 'if (state === undefined) return [{ ...state, unneeded',
    spec: 'spec/coordination/regions.spec.ts',
  },
  {
    what: 'what a commit in doubt names is deleted with what shares its file',
    file: 'lib/coordination/retention.ts',
    from: 'new Set([...ended, ...doubtful])',
    to: 'new Set([...ended])',
    spec: 'spec/coordination/regions.spec.ts',
  },
  {
    what: 'one failure of the store is counted for each task of a file',
    file: 'lib/control/snapshotWriter.ts',
    from: "isFirst ? causeOf(error) : 'shared-file'",
    to: 'isFirst ? causeOf(error) : causeOf(error)',
    spec: 'spec/control/inFlightFiles.spec.ts',
  },
  {
    what: "a part is committed before the sinks' transactions would survive a crash",
    file: 'lib/control/snapshotWriter.ts',
    from: 'if (durable.length === 0) this',
    to: 'if (durable.length >= 0) this',
  },
  {
    what: "another run's log entry is taken for one's own",
    file: 'lib/control/serialize.ts',
    from: 'if (runOf(stands) !== epoch) throw error',
    to: '',
  },
  {
    what: 'the writing of a sinking checkpoint goes on',
    file: 'lib/control/snapshotWriter.ts',
    from: 'if (!this.#isAborted(writing.snapshot)) continue',
    to: 'continue',
    spec: 'spec/control/serialize.spec.ts',
  },
  {
    what: 'transactions not yet published are left out of the snapshot',
    file: 'lib/runtime/sinkOutput.ts',
    from: '[...this.#unpublished]) ?? []',
    to: '[]) ?? []',
  },
  {
    what: 'what a restored snapshot holds is not published',
    file: 'lib/runtime/sinkOutput.ts',
    from: 'recover({ publish: this.#restored.map(({ tx }) => tx) })',
    to: 'recover({ publish: [] })',
  },
  {
    what: 'a publication that has failed is passed over',
    file: 'lib/runtime/retried.ts',
    from: 'subscriber.add(scheduler.schedule(attempted, effect.delayMs))',
    to: 'succeeded()',
  },
  {
    what: 'a transaction that is lost is asked for again and again',
    file: 'lib/runtime/retried.ts',
    from: '!mayPass(error) || ',
    to: '',
    spec: 'spec/runtime/publishing.spec.ts',
  },
  {
    what: 'the sink takes everything, also when it is full',
    file: 'lib/runtime/sinkOutput.ts',
    from: 'return this.#writer.mayWrite()',
    to: 'return true',
    spec: 'spec/runtime/bounded.spec.ts',
  },
  {
    what: 'a start does not raise the epoch',
    file: 'lib/runtime/restore.ts',
    from: 'epoch: 1 + log.reduce((largest, { epoch }) => Math.max(largest, epoch), 0)',
    to: 'epoch: log.reduce((largest, { epoch }) => Math.max(largest, epoch), 1)',
  },
  {
    what: 'a start goes on from an older checkpoint',
    file: 'lib/snapshot/history.ts',
    from: '[...commits].reverse()',
    to: '[...commits]',
  },
  {
    what: 'what an older checkpoint was gone back to from is gone on from again',
    file: 'lib/snapshot/history.ts',
    from: 'n > since || older.includes(n)',
    to: 'true',
    spec: 'spec/snapshot/history.spec.ts',
  },
  {
    what: 'an older checkpoint is restored although sinks have published since',
    file: 'lib/runtime/restore.ts',
    from: 'if (newer !== undefined && !acceptDuplicates) {',
    to: 'if (newer !== undefined && acceptDuplicates) {',
    spec: 'spec/runtime/olderCheckpoint.spec.ts',
  },
  {
    what: 'a job that is done publishes again when it is started again',
    file: 'lib/control/serialize.ts',
    from: "if (order.kind === 'finished') return done()",
    to: "if (order.kind === 'finished') return EMPTY",
    spec: 'spec/runtime/olderCheckpoint.spec.ts',
  },
  {
    what: 'a start does not see that another run has gone on meanwhile',
    file: 'lib/runtime/execution.ts',
    from: 'concat(this.#store.append(nextEntry, entry), ifNewest(this.#store, nextEntry))',
    to: 'this.#store.append(nextEntry, entry)',
  },
  {
    what: 'entries of checkpoints that are gone stay in the log',
    file: 'lib/runtime/execution.ts',
    from: 'commits.filter(n => !entries.has(n))',
    to: 'commits.filter(n => n < 0)',
  },
  {
    what: 'checkpoints that need not be kept are not deleted',
    file: 'lib/coordination/checkpoints.ts',
    from: 'state.retained.length + 1 - state.retainedCount',
    to: 'state.retained.length - state.retainedCount',
  },
  {
    what: 'the objects of the newest checkpoint are deleted with those of older ones',
    file: 'lib/coordination/retention.ts',
    from: 'new Set([...finished, ...retained.flatMap(({ parts }) => parts)])',
    to: 'new Set(finished.slice(0, 0))',
  },
  {
    what: "an object that a newer part names too is deleted with its region's older one",
    file: 'lib/coordination/retention.ts',
    from: '.filter(of => !named.has(of))',
    to: '',
  },
  {
    what: 'a region that fails is left out of what is kept',
    file: 'lib/coordination/checkpoints.ts',
    from: 'finished: membersOf(state.standings).flatMap(({ part }) => part ?? []),',
    to: 'finished: [],',
    spec: 'spec/coordination/regions.spec.ts',
  },
  {
    what: 'a region restarts from an older part than it has published',
    file: 'lib/snapshot/history.ts',
    from: 'const snapshots = part.tasks.filter(({ task }) => !taken.has(task))',
    to: 'const snapshots = taken.size > 0 ? [] : part.tasks',
    spec: 'spec/snapshot/history.spec.ts',
  },
  {
    what: 'the first parts after another dealing are finished one by one',
    file: 'lib/coordination/checkpoints.ts',
    from: '(!state.whole && (due || enough))',
    to: '(due || enough)',
    spec: 'spec/coordination/regions.spec.ts',
  },
  {
    what: 'a region that is carried over is not counted',
    file: 'lib/coordination/checkpoints.ts',
    from: 'carriedOver: before + 1',
    to: 'carriedOver: before',
    spec: 'spec/coordination/regionalOracle.spec.ts',
  },
  {
    what: 'a region that has finished a part is counted on',
    file: 'lib/coordination/checkpoints.ts',
    from: 'withMember(standings, region, { part, carriedOver: 0 })',
    to: 'withMember(standings, region, { part, carriedOver: memberOf(standings, region).carriedOver })',
    spec: 'spec/coordination/regionalOracle.spec.ts',
  },
  {
    what: 'a job of one region carries it over',
    file: 'lib/runtime/run.ts',
    from: 'regions.length > 1 ? chosen :',
    to: 'regions.length > 0 ? chosen :',
    spec: 'spec/runtime/explainRegions.spec.ts',
  },
  {
    what: 'a transaction that regions share is published with the part of one',
    file: 'lib/graph/checkRegional.ts',
    from: 'if (sink.sharedTransaction !== true || regionsOf(id, regions) < 2) continue',
    to: 'if (sink.sharedTransaction !== false) continue',
    spec: 'spec/runtime/explainRegions.spec.ts',
  },
  {
    what: 'a small snapshot in a log entry is read with the bytes of another',
    file: 'lib/snapshot/log.ts',
    from: 'for (const chunk of own) chunks.push(chunk)',
    to: 'for (const chunk of own) chunks.unshift(chunk)',
    spec: 'spec/snapshot/log.spec.ts',
  },
  {
    what: 'of two snapshots of a task the coordinator keeps the older one',
    file: 'lib/coordination/vector.ts',
    from: 'all[change.count - 1] = change',
    to: 'all[newest.count - change.count] = change',
    spec: 'spec/coordination/vector.spec.ts',
  },
  {
    what: 'a snapshot that nobody waits for any more is encoded, and said to be written',
    file: 'lib/snapshot/snapshotEncoder.ts',
    from: '    if (of.stopped) return 0\n',
    to: '',
    spec: 'spec/control/serialize.spec.ts',
  },
  {
    what: 'a damaged section of a snapshot is restored',
    file: 'lib/snapshot/container.ts',
    from: 'if (position > index || sectionCrc(bytes.subarray(begin, entry), chunks) !== view.getUint32(entry))',
    to: 'if (position > index)',
    spec: 'spec/snapshot/container.spec.ts',
  },
  {
    what: "another task's snapshot is restored in a task's place",
    file: 'lib/runtime/readSnapshots.ts',
    from: 'if (own.length !== size || checksumOf(own) !== crc) {',
    to: 'if (own.length !== own.length) {',
    spec: 'spec/runtime/badInput.spec.ts',
  },
  {
    what: 'deletions that a last checkpoint orders are left undone',
    file: 'lib/runtime/execution.ts',
    from: `        this.#events$.complete()
        return this.#orders$.complete()`,
    to: `        return this.#end()`,
  },
  {
    what: "a sink's work goes on after its job has failed",
    file: 'lib/runtime/sinkOutput.ts',
    from: 'if (!begun) this.#open.add(durable.subscribe(done$))',
    to: 'if (!begun) durable.subscribe(done$)',
  },
  {
    what: 'what an order leads to is heard before the other orders of its event',
    file: 'lib/control/coordinate.ts',
    from: 'if (waiting.push(event) > 1) return',
    to: 'waiting.unshift(event)',
    spec: 'spec/control/coordinate.spec.ts',
  },
  {
    what: 'an entry in doubt, deleted by a newer run, is written again in its place',
    file: 'lib/control/serialize.ts',
    from: "concatMap(n => (wasTried && typeof n === 'number' ? ifNewest(store, n) : of(n)))",
    to: 'concatMap(n => of(n))',
    spec: 'spec/control/serialize.spec.ts',
  },
  {
    what: 'a broadcast misses a consumer',
    file: 'lib/channel/writer.ts',
    from: 'for (const channel of this.#channels) this.#pushOne(channel, element)',
    to: 'for (const channel of this.#channels.slice(0, -1)) this.#pushOne(channel, element)',
  },
  {
    what: 'a group of rescale is off by one',
    file: 'lib/graph/joins.ts',
    from: '? Math.ceil((from * consumers) / producers)',
    to: '? Math.floor((from * consumers) / producers)',
    spec: 'spec/graph/joins.spec.ts',
  },
  {
    what: 'the index of a partitioner is not checked',
    file: 'lib/graph/channelsOf.ts',
    from: '!Number.isInteger(index) || index < 0 || index >= channels',
    to: 'Number.isNaN(channels)',
    spec: 'spec/graph/channelsOf.spec.ts',
  },
  {
    what: 'an aligned-only edge lets an unaligned barrier through',
    file: 'lib/channel/writer.ts',
    from: 'this.#options.alignedOnly === true ? forcedAligned(element) : element',
    to: 'element',
    spec: 'spec/channel/writer.spec.ts',
  },
  {
    what: 'the key of a broadcast call is not looked up again',
    file: 'lib/graph/call.ts',
    from: `    this.group = group
    this.number++`,
    to: `    this.group = group
    this.number = this.#state.calls.number`,
  },
  {
    what: 'an idle split counts again after a restore',
    file: 'lib/graph/reading.ts',
    from: 'from?.idle === true && idleAfterMs < Number.POSITIVE_INFINITY',
    to: 'false',
    spec: 'spec/runtime/idleSplits.spec.ts',
  },
  {
    what: 'control elements of one checkpoint are shared by channels that are no longer alike',
    file: 'lib/channel/channel.ts',
    from: '(before, { checkpoint, ordinal, buffers }) => [before, checkpoint, ordinal, buffers],',
    to: '(before, { checkpoint }) => [before, checkpoint],',
  },
  {
    what: 'at another parallelism a key group loses its watermark',
    file: 'lib/snapshot/redistribution/watermarks.ts',
    from: '([, watermarkMs]) => watermarkMs > smallestMs',
    to: '() => false',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'at another parallelism the data of a forward channel goes to several tasks',
    file: 'lib/snapshot/redistribution/inFlight.ts',
    from: `          case 'rescale':
            put(heirOf(old, spread), data, whole)`,
    to: `          case 'rescale':
            put(turn++ % after, data, whole)`,
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'data behind a marker is taken before the other channels have delivered theirs',
    file: 'lib/channel/gate.ts',
    from: 'this.#generations !== undefined && isHeld(this.#generations, channel)',
    to: 'false',
    spec: 'spec/channel/gate.spec.ts',
  },
  {
    what: 'keys see the broadcast state of another line',
    file: 'lib/graph/broadcastCall.ts',
    from: 'this.#line = this.#lines.findIndex(({ end }) => group < end)',
    to: 'this.#line = 0',
    spec: 'spec/runtime/rescaledBroadcast.spec.ts',
  },
  {
    what: 'a broadcast record of one line is applied to the keys of all',
    file: 'lib/graph/broadcastCall.ts',
    from: 'const { begin, end } = this.#lines[this.#line] ?? allGroups',
    to: 'const { begin, end } = allGroups',
    spec: 'spec/runtime/rescaledBroadcast.spec.ts',
  },
  {
    what: 'each heir of a line emits what belongs to no key',
    file: 'lib/snapshot/redistribution/lines.ts',
    from: 'line.isFirst && (work.line?.emits ?? of.number === 0)',
    to: 'work.line?.emits ?? of.number === 0',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'an heir skips what other heirs have to skip',
    file: 'lib/snapshot/redistribution/lines.ts',
    from: 'own.reduce((sum, [, deliveries]) => sum + deliveries, 0)',
    to: 'delivered',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'broadcast records that an old task had not taken yet are dropped',
    file: 'lib/snapshot/redistribution/frames.ts',
    from: '(options.lines?.inFlight(old) ?? []).map(',
    to: '(options.lines?.inFlight(old) ?? []).slice(0, 0).map(',
    spec: 'spec/runtime/rescaledBroadcast.spec.ts',
  },
  {
    what: 'restored work that is begun changes in the snapshot that is being written',
    file: 'lib/graph/handling.ts',
    from: 'this.#work = { ...work } as Work<T>',
    to: 'this.#work = work as Work<T>',
    spec: 'spec/graph/suspension.spec.ts',
  },
  {
    what: 'behind a custom exchange what operators had left is dealt beside what channels held',
    file: 'lib/snapshot/redistribution/generations.ts',
    from: 'framesFirst ? depth + 0.5 : depth',
    to: 'depth',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'a second change of parallelism forgets the generations of the first',
    file: 'lib/snapshot/redistribution/generations.ts',
    from: 'a - b || depthB - depthA',
    to: 'depthB - depthA',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'restored data of a later generation is taken at once',
    file: 'lib/runtime/task.ts',
    from: 'generation !== undefined && generation > now',
    to: 'false',
  },
  {
    what: 'restored data of a later generation is left out of the snapshot',
    file: 'lib/runtime/snapshotUnderWay.ts',
    from: '[...(this.#inFlight?.values() ?? []), ...this.#parked]',
    to: '[...(this.#inFlight?.values() ?? [])]',
    spec: 'spec/runtime/rescaledInFlight.spec.ts',
  },
  {
    what: 'restored data of a later generation comes behind what stands in its channel',
    file: 'lib/runtime/snapshotUnderWay.ts',
    from: 'generation === this.#generationIn(channel)',
    to: 'false',
    spec: 'spec/runtime/snapshotUnderWay.spec.ts',
  },
  {
    what: 'a restored call of a later generation is begun at once',
    file: 'lib/snapshot/redistribution/frames.ts',
    from: 'of.generation === 0 ? { ...of, generation: undefined } : of',
    to: '{ ...of, generation: undefined }',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'at another parallelism a position is given to two tasks',
    file: 'lib/snapshot/redistribution/operators.ts',
    from: 'for (const pair of value) shares',
    to: 'for (const pair of value) shares[0]?.push(pair)\n    for (const pair of value) shares',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'the transaction of a task that is no longer there is dropped',
    file: 'lib/snapshot/redistribution/operators.ts',
    from: 'heirOf(old, spread) === task',
    to: 'old === task',
    spec: 'spec/snapshot/redistribution.spec.ts',
  },
  {
    what: 'a record that is dropped is not counted',
    file: 'operators/sources/readPushed.ts',
    from: `      drop()
      if (onFull`,
    to: '      if (onFull',
    spec: 'spec/operators/sources/fromObservable.spec.ts',
  },
  {
    what: 'what a source has dropped is not counted in the job',
    file: 'lib/graph/reading.ts',
    from: 'reader.dropped?.() ?? 0',
    to: '0',
    spec: 'spec/runtime/pushSources.spec.ts',
  },
  {
    what: 'a task takes data although its output is full',
    file: 'lib/runtime/task.ts',
    from: 'for (const writer of this.#writers) if (!writer.available) return false',
    to: '',
    spec: 'spec/runtime/pushSources.spec.ts',
  },
  {
    what: 'an emitter is not paused when the room is full',
    file: 'operators/sources/readPushed.ts',
    from: "typeof onFull === 'object' && waiting.full",
    to: "typeof onFull === 'object' && waiting.size > bufferRecordsMax",
    spec: 'spec/operators/sources/fromEmitter.spec.ts',
  },
  {
    what: 'a stream is read further than there is room',
    file: 'operators/sources/fromAsyncIterable.ts',
    from: "outcome !== 'open' || waiting.full) return",
    to: "outcome !== 'open') return",
    spec: 'spec/operators/sources/fromAsyncIterable.spec.ts',
  },
  {
    what: 'a projection that ignores from is not noticed',
    file: 'operators/checkedResults.ts',
    from: 'given !== expected',
    to: 'false',
    spec: 'spec/operators/flatMap.spec.ts',
  },
  {
    what: 'a call under way is not part of the snapshot',
    file: 'lib/graph/asyncCalls.ts',
    from: "filter(({ kind }) => kind !== 'end')",
    to: "filter(one => one.kind !== 'end' && !(one.kind === 'call' && one.state === 'under way'))",
  },
  {
    what: 'an ordered result overtakes one that is not there yet',
    file: 'lib/graph/asyncCalls.ts',
    from: 'else if (this.#options.ordered) break',
    to: '',
    spec: 'spec/operators/asyncMap.spec.ts',
  },
  {
    what: 'an unordered result overtakes a watermark',
    file: 'lib/graph/asyncCalls.ts',
    from: "if (waiting.kind !== 'call') break",
    to: "if (waiting.kind !== 'call') continue",
    spec: 'spec/operators/asyncMap.spec.ts',
  },
  {
    what: 'what an unaligned barrier has passed in a sending half is left out of the snapshot',
    file: 'lib/runtime/task.ts',
    from: 'this.#snapshot.passed(this.#passed(barrier.checkpoint))',
    to: 'this.#snapshot.passed([])',
  },
  {
    what: 'what a barrier has passed in a sending half is captured by both halves',
    file: 'lib/runtime/task.ts',
    from: '    this.#outboxes.prioritize(checkpoint)\n',
    to: '',
  },
  {
    what: "what a barrier has passed in a sending half is restored before the consumer's own",
    file: 'lib/snapshot/delivered.ts',
    from: '[...before.elements, ...elements]',
    to: '[...elements, ...before.elements]',
  },
  {
    what: 'what waits in a sending half is taken for newer than all recovered data',
    file: 'lib/runtime/outboxes.ts',
    from: 'firstMarker(data.elements)?.generation ?? generation',
    to: 'undefined',
    spec: 'spec/runtime/outboxes.spec.ts',
  },
  {
    what: 'what a barrier has passed in a sending half waits for a generation that is held back',
    file: 'lib/snapshot/delivered.ts',
    from: 'before === undefined || isLater(before.generation, generation)',
    to: 'before === undefined',
    spec: 'spec/snapshot/delivered.spec.ts',
  },
  {
    what: 'a barrier that may time out is not waited for while it is in a sending half',
    file: 'lib/runtime/task.ts',
    from: '|| this.#outboxes.holds(snapshot.checkpoint)) return',
    to: ') return',
    spec: 'spec/runtime/fullOutputs.spec.ts',
  },
  {
    what: 'a task ends while its end waits in a sending half',
    file: 'lib/runtime/task.ts',
    from: "|| this.#outboxes.holds('end')) return",
    to: ') return',
  },
  {
    what: 'what is on a link outlives its job',
    file: 'lib/runtime/task.ts',
    from: 'for (const link of options.links) this.#running.add(link)',
    to: '',
  },
  {
    what: 'a restarted region goes on from what the job was started from',
    file: 'lib/coordination/restarting.ts',
    from: 'const from = part && { checkpoint: part.checkpoint, entry: part.entry }',
    to: 'const from = undefined',
    spec: 'spec/coordination/failover.spec.ts',
  },
  {
    what: 'what tasks wrote last still stands for them when they are restarted',
    file: 'lib/coordination/restarting.ts',
    from: 'return andThen(unended({ ...state, failover: next }, tasks), of =>',
    to: 'return then([{ ...state, failover: next }, []], of =>',
    spec: 'spec/coordination/failover.spec.ts',
  },
  {
    what: 'a restart does not wait for the commit that names its part',
    file: 'lib/coordination/failover.ts',
    from: 'return event.committing ?',
    to: 'return false ?',
    spec: 'spec/coordination/failover.spec.ts',
  },
  {
    what: 'a commit that is found standing is no restart point',
    file: 'lib/coordination/checkpoints.ts',
    from: 'return stands(state, event)',
    to: 'return [state, []]',
    spec: 'spec/coordination/failover.spec.ts',
  },
  {
    what: 'what stopped tasks have under way still arrives',
    file: 'lib/control/snapshotWriter.ts',
    from: 'if (epoch <= (this.#abandonedUpTo.get(task) ?? 0)) return true',
    to: '',
    spec: 'spec/control/serialize.spec.ts',
  },
  {
    what: 'restarted tasks have the epoch of those before them',
    file: 'lib/control/serialize.ts',
    from: 'const next = newestEpoch + 1',
    to: 'const next = newestEpoch',
    spec: 'spec/control/serialize.spec.ts',
  },
  {
    what: 'the way of a barrier is measured from the trigger, not from where it came from',
    file: 'lib/coordination/criticalPath.ts',
    from: 'ms: cameMs - from.begunMs',
    to: 'ms: cameMs',
    spec: 'spec/coordination/criticalPath.spec.ts',
  },
  {
    what: 'a history grows without end',
    file: 'lib/coordination/checkpointHistory.ts',
    from: '.slice(-state.count)',
    to: '',
    spec: 'spec/coordination/checkpointHistory.spec.ts',
  },
  {
    what: 'a time of the schedule is dropped while a checkpoint is under way',
    file: 'lib/coordination/checkpoints.ts',
    from: 'const periodic = request.request === undefined && !timed',
    to: 'const periodic = request.request === undefined',
    spec: 'spec/control/triggers.spec.ts',
  },
  {
    what: 'a backlog is worked off with the usual interval',
    file: 'lib/control/triggers.ts',
    from: 'this.#inBacklog ? backlogEveryMs : everyMs',
    to: 'everyMs',
    spec: 'spec/control/triggers.spec.ts',
  },
  {
    what: 'an hour is said to be whole before all tasks have published it',
    file: 'lib/node/hours.ts',
    from: 'if (passed.size < parallelism) return undefined',
    to: '',
    spec: 'spec/node/hours.spec.ts',
  },
  {
    what: 'a start takes over what its task had passed before',
    file: 'lib/node/fileNames.ts',
    from: '/^(\\.pending|\\.passed|part)-e',
    to: '/^(\\.pending|part)-e',
    spec: 'spec/node/hours.spec.ts',
  },
  {
    what: 'a restored transaction of other tasks counts as passed by these',
    file: 'lib/node/ndjsonFiles.ts',
    from: 'of?.parallelism === task.subtask.parallelism ? of.hour : []',
    to: 'of === undefined ? [] : of.hour',
    spec: 'spec/node/hours.spec.ts',
  },
  {
    what: 'a schedule asks before the tasks have been started',
    file: 'lib/runtime/execution.ts',
    from: '            schedule: undefined,\n',
    to: '',
    spec: 'spec/runtime/schedules.spec.ts',
  },
  {
    what: 'a stopped task keeps its buffers',
    file: 'lib/runtime/task.ts',
    from: 'writer.close()',
    to: '',
    spec: 'spec/runtime/failover.spec.ts',
  },
  {
    what: 'a write that meets what it has itself put takes it for another’s',
    file: 'lib/s3/s3Store.ts',
    from: "if (stands === token) return 'created'",
    to: '',
    spec: 'spec/s3/uncertain.spec.ts',
  },
  {
    what: 'a write that meets another request of its key is not tried again',
    file: 'lib/s3/s3Store.ts',
    from: 'if (isConflict(error) && attempt < attemptsMax) continue',
    to: '',
    spec: 'spec/s3/uncertain.spec.ts',
  },
  {
    what: 'a server that ignores the condition of a write is trusted',
    file: 'lib/s3/s3Store.ts',
    from: 'if (!keepsConditions) await tryCondition(signal)',
    to: '',
    spec: 'spec/s3/uncertain.spec.ts',
  },
  {
    what: 'a request to a bucket waits as long as the client does',
    file: 'lib/s3/request.ts',
    from: 'Promise.race([answered, tooLate])',
    to: 'answered',
    spec: 'spec/s3/uncertain.spec.ts',
  },
  {
    what: 'an upload is given up while parts of it are under way',
    file: 'lib/s3/putInParts.ts',
    from: 'await Promise.allSettled(',
    to: "await (async all => (await Promise.all(all)).map(() => ({ status: 'fulfilled' })))(",
    spec: 'spec/s3/uncertain.spec.ts',
  },
]
