import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/** What becomes of a request. Without its answer: it is carried out, but the client sees the connection end. */
export type Fate = 'passes' | 'loses its answer' | 'hangs' | { readonly status: number; readonly code: string }

export interface FaultyProxy {
  readonly endpoint: string
  /** Of each request, from now on. */
  decide: (method: string, path: string) => Fate
  close(): void
}

/** Stands before a server; requests and answers pass as they are, so that signatures stay valid. */
export const proxyBefore = async (endpoint: string): Promise<FaultyProxy> => {
  const target = new URL(endpoint)
  const open = new Set<ServerResponse>()
  const server = createServer((incoming, answer) => {
    open.add(answer)
    answer.on('close', () => open.delete(answer))
    const fate = proxy.decide(incoming.method ?? '', incoming.url ?? '')
    if (fate === 'hangs') return void incoming.resume()
    if (typeof fate === 'object') return refused(incoming, answer, fate)
    const { hostname, port } = target
    const { method, url: path, headers } = incoming
    const passed = request({ hostname, port, method, path, headers }, received => {
      if (fate === 'loses its answer') {
        received.resume().on('end', () => answer.destroy())
        return
      }
      answer.writeHead(received.statusCode ?? 502, received.headers)
      received.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    incoming.pipe(passed)
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  const proxy: FaultyProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    decide: () => 'passes',
    close() {
      for (const answer of open) answer.destroy()
      server.close()
    },
  }
  return proxy
}

const refused = (
  incoming: IncomingMessage,
  answer: ServerResponse,
  { status, code }: { status: number; code: string },
) => {
  incoming.resume().on('end', () => {
    answer.writeHead(status, { 'content-type': 'application/xml' })
    answer.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`)
  })
}
