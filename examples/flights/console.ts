import type { Report } from './messages.ts'

/** A line that shows how far something is: rewritten in place on a terminal, printed now and then elsewhere. */
export const progressLine = () => {
  const { stdout } = process
  let text = ''
  let shownAtMs = Number.NEGATIVE_INFINITY
  const clear = () => {
    if (stdout.isTTY) stdout.write('\r\x1b[K')
  }
  return {
    /** Without a text, the last one stays. */
    show(fraction: number, newText = text) {
      text = newText
      const nowMs = performance.now()
      if (nowMs - shownAtMs < (stdout.isTTY ? 100 : 5_000)) return
      shownAtMs = nowMs
      const line = `${bar(fraction)} ${text}`
      clear()
      stdout.write(stdout.isTTY ? line.slice(0, stdout.columns - 1) : `${line}\n`)
    },
    /** Prints a line that stays. */
    say(lines: string) {
      clear()
      stdout.write(`${lines}\n`)
      text = ''
    },
  }
}

const bar = (fraction: number) => {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width)
  return `${'█'.repeat(full)}${'░'.repeat(width - full)} ${String(Math.floor(fraction * 100)).padStart(3)} %`
}

const width = 30

/** The lines that stay of what the job tells. */
export const saidOf = (report: Report): readonly string[] => {
  if (report.kind !== 'running') return []
  const { restored, bound } = report
  return [
    restored ? `resumed from checkpoint ${restored.checkpoint}` : 'started',
    `at most ${figure(bound.buffersMax)} buffers, ${figure(bound.recordsMax)} records in channels and snapshots`,
  ]
}

export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
export const figure = (n: number) => Math.round(n).toLocaleString('en-US')
