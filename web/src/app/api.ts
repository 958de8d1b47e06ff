import type { LineTestResult, Me, MediaLineTest, Meetings, Problem, SignIn } from '../protocol/types.gen'

/** The server's refusal as problem+json (RFC 9457), or `network` when it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: string,
  ) {
    super(`${code}: ${detail}`)
  }
}

export const api = {
  me: () => call<Me>('GET', '/api/session'),
  signIn: (body: SignIn) => call<Me>('POST', '/api/session', { body }),
  signOut: () => call<void>('DELETE', '/api/session'),
  /** `day` is YYYY-MM-DD in the province's own time. */
  meetings: (day: string) => call<Meetings>('GET', `/api/meetings?day=${encodeURIComponent(day)}`),
  downloadTest: async (octets: number) =>
    (await request('GET', `/api/line-test?octets=${octets}`)).arrayBuffer(),
  uploadTest: (body: Uint8Array<ArrayBuffer>) => call<LineTestResult>('POST', '/api/line-test', { body }),
  mediaTest: () => call<MediaLineTest>('GET', '/api/line-test/media'),
  /** An SDP offer that only tries whether the media port is reached; returns the answer. */
  tryMedia: (offer: string) =>
    call<string>('POST', '/api/line-test/media', {
      body: new Blob([offer]),
      type: 'application/sdp',
      as: 'text',
    }),
}

export function meetingSocketUrl(meetingId: string, base: Location): string {
  const scheme = base.protocol === 'https:' ? 'wss' : 'ws'
  return `${scheme}://${base.host}/api/meetings/${encodeURIComponent(meetingId)}/ws`
}

export interface CallOptions {
  /** JSON, unless it is a Blob or bytes. */
  body?: unknown
  /** The content type of a Blob. */
  type?: string
  signal?: AbortSignal
  as?: 'json' | 'text'
}

/** Ask the server. Throws ApiError, or what `signal` was aborted with. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const response = await request(method, path, options)
  const text = await response.text()
  if (options.as === 'text') return text as T
  return (text ? JSON.parse(text) : undefined) as T
}

async function request(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const response = await send(method, path, options).catch(() => {
    options.signal?.throwIfAborted()
    throw new ApiError('network', 0, '')
  })
  if (!response.ok) throw await refusalOf(response)
  return response
}

function send(method: string, path: string, { body, type, signal }: CallOptions): Promise<Response> {
  const init: RequestInit = { method, credentials: 'same-origin', cache: 'no-store' }
  if (signal) init.signal = signal
  if (body instanceof Uint8Array || body instanceof Blob) {
    init.body = body as Blob | Uint8Array<ArrayBuffer>
    init.headers = { 'content-type': type ?? 'application/octet-stream' }
  } else if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { 'content-type': 'application/json' }
  }
  return fetch(path, init)
}

async function refusalOf(response: Response): Promise<ApiError> {
  try {
    const problem = (await response.json()) as Problem
    return new ApiError(problem.code ?? 'generic', response.status, problem.detail ?? '')
  } catch {
    return new ApiError(response.status >= 500 ? 'network' : 'generic', response.status, response.statusText)
  }
}
