import { queryOf, type Wish } from '../film/wish'
import type {
  Certificate,
  FilmStatus,
  KeepingBody,
  RecordingDetail,
  Recordings,
  RecordingSpace,
  RetentionClasses,
  VerifyReport,
} from '../protocol/types.gen'
import { call } from './api'

const PAGE = 50

/** The archive over REST. Every call throws ApiError. */
export const archive = {
  /** A page of what was found; `cursor` is `next` of the page before. */
  search(wish: Wish, cursor: string | null, signal: AbortSignal): Promise<Recordings> {
    const query = new URLSearchParams({
      ...queryOf(wish),
      limit: String(PAGE),
      ...(cursor ? { cursor } : {}),
    })
    return call('GET', `/api/recordings?${query}`, { signal })
  },
  show: (id: string) => call<RecordingDetail>('GET', address(id)),
  verify: (id: string) => call<VerifyReport>('POST', address(id, 'verify')),
  render: (id: string) => call<FilmStatus>('POST', address(id, 'render')),
  keep: (id: string, keeping: KeepingBody) =>
    call<RecordingDetail>('PUT', address(id, 'keeping'), { body: keeping }),
  destroy: (id: string, reason: string) => call<Certificate>('DELETE', address(id), { body: { reason } }),
  putCaptions: (id: string, text: Blob) =>
    call<void>('PUT', address(id, 'captions.vtt'), { body: text, type: 'text/vtt' }),
  removeCaptions: (id: string) => call<void>('DELETE', address(id, 'captions.vtt')),
  space: () => call<RecordingSpace>('GET', '/api/recordings/space'),
  classes: () => call<RetentionClasses>('GET', '/api/recordings/classes'),
  /** PEM text of the public key that recordings are signed with. */
  key: () => call<string>('GET', KEY_ADDRESS, { as: 'text' }),
}

export const KEY_ADDRESS = '/api/recordings/key'

/** Where a file of a recording is: plain addresses, so that the browser resumes a download by itself. */
export function address(recordingId: string, file = ''): string {
  const path = file.split('/').map(encodeURIComponent).join('/')
  return `/api/recordings/${encodeURIComponent(recordingId)}${path && `/${path}`}`
}
