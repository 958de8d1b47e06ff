import {
  PROTOCOL_VERSION,
  type FromClient,
  type FromServer,
  type PersonCommand,
  type Refusal,
  type Welcome,
} from './types.gen'

/** The part of a WebSocket that is needed here, so that tests can bring their own. */
export interface Socket {
  send(text: string): void
  close(): void
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: (() => void) | null
}

/** What a client measured of its own line since the last ping. */
export interface LineReport {
  rtt_ms: number | null
  loss_percent: number | null
  freezes: number | null
}

/**
 * connecting: the first attempt; open: welcomed; reconnecting: lost, trying again by itself;
 * refused: the server said no to our hello; over: a good-bye from either side.
 */
export type ConnectionState = 'connecting' | 'open' | 'reconnecting' | 'refused' | 'over'

export interface ConnectionEvents {
  state(state: ConnectionState): void
  welcome(welcome: Welcome): void
  message(message: FromServer): void
  refused(code: string, detail: string): void
  over(code: string, detail: string): void
}

export interface ConnectionOptions {
  open: () => Socket
  events: ConnectionEvents
  client: string
  line?: () => LineReport
  random?: () => number
  now?: () => number
}

/** A command the server (or the lost line) refused. `code` is stable and has words in the locale files. */
export class CommandRefused extends Error {
  constructor(
    readonly code: string,
    readonly detail: string,
  ) {
    super(`${code}: ${detail}`)
  }
}

const PING_EVERY_MS = 5_000
const SILENCE_LIMIT_MS = 12_000
const SUSPICION_LIMIT_MS = 2_000
const WELCOME_LIMIT_MS = 8_000
const ANSWER_LIMIT_MS = 10_000
const RETRY_FIRST_MS = 300
const RETRY_LONGEST_MS = 2_000

interface Pending {
  resolve: () => void
  reject: (reason: CommandRefused) => void
  timer: ReturnType<typeof setTimeout>
}

/**
 * The signalling road: hello, resume, ping, and coming back by itself after a loss. Knows no page and no media.
 * After a loss it keeps trying until told to `leave()`; commands under way are refused with `connection_lost`.
 */
export class Connection {
  state: ConnectionState = 'connecting'
  /** Server clock minus ours, in seconds. */
  serverAhead_s = 0
  attempts = 0

  private socket: Socket | null = null
  private resume: string | null = null
  private takeOver = false
  private pending = new Map<number, Pending>()
  private nextId = 1
  private heardAt_ms = 0
  private pingTimer: ReturnType<typeof setInterval> | null = null
  private retryTimer: ReturnType<typeof setTimeout> | null = null
  private welcomeTimer: ReturnType<typeof setTimeout> | null = null
  private suspicionTimer: ReturnType<typeof setTimeout> | null = null
  private readonly now: () => number
  private readonly random: () => number

  constructor(private readonly options: ConnectionOptions) {
    this.now = options.now ?? Date.now
    this.random = options.random ?? Math.random
  }

  start(takeOver = false): void {
    this.takeOver = takeOver
    this.resume = null
    this.setState('connecting')
    this.connect()
  }

  /** Say good-bye: the seat is freed at once. */
  leave(): void {
    if (this.state === 'open') this.send({ type: 'bye' })
    this.finish('over')
    this.options.events.over('left', '')
  }

  /** Drop the road without a good-bye, as a reload of the page would: the seat stays leased. */
  abandon(): void {
    this.finish('over')
  }

  /** The network is said to be back: do not wait for the timer. */
  wake(): void {
    if (this.state === 'reconnecting' && this.retryTimer) this.connect()
    else this.suspect()
  }

  /** Something says that the line may be gone (no media, another network): find out now, not by silence. */
  suspect(): void {
    if (this.state !== 'open' || this.suspicionTimer) return
    const since_ms = this.now()
    this.suspicionTimer = setTimeout(() => {
      this.suspicionTimer = null
      if (this.heardAt_ms <= since_ms) this.lost()
    }, SUSPICION_LIMIT_MS)
    this.ping()
  }

  send(message: FromClient): void {
    this.socket?.send(JSON.stringify(message))
  }

  /** Ask the room for something. Resolves when done, rejects with CommandRefused. */
  ask(command: PersonCommand): Promise<void> {
    if (this.state !== 'open') return Promise.reject(new CommandRefused('connection_lost', ''))
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.settle(id, new CommandRefused('no_answer', '')), ANSWER_LIMIT_MS)
      this.pending.set(id, { resolve, reject, timer })
      this.send({ type: 'command', id, command })
    })
  }

  private connect(): void {
    this.clearTimers()
    this.dropSocket()
    this.attempts += 1
    const socket = this.options.open()
    this.socket = socket
    this.welcomeTimer = setTimeout(() => this.lost(), WELCOME_LIMIT_MS)
    socket.onopen = () => {
      this.send({
        type: 'hello',
        version: PROTOCOL_VERSION,
        client: this.options.client.slice(0, 100),
        resume: this.resume,
        take_over: this.takeOver,
      })
    }
    socket.onmessage = (event) => this.receive(event.data)
    socket.onclose = () => this.lost()
  }

  private receive(data: unknown): void {
    if (typeof data !== 'string') return
    this.heardAt_ms = this.now()
    const message = JSON.parse(data) as FromServer
    switch (message.type) {
      case 'welcome':
        return this.welcomed(message)
      case 'done':
        return this.settle(message.id, null)
      case 'error':
        return this.refuse(message)
      case 'pong':
        this.serverAhead_s = message.server_time - (message.sent_at + this.now() / 1000) / 2
        return
      case 'goodbye':
        return this.goodBye(message.code, message.detail)
      default:
        this.options.events.message(message)
    }
  }

  private welcomed(welcome: Welcome): void {
    if (this.welcomeTimer) clearTimeout(this.welcomeTimer)
    this.resume = welcome.resume
    this.takeOver = false
    this.attempts = 0
    this.serverAhead_s = welcome.server_time - this.now() / 1000
    this.setState('open')
    this.pingTimer = setInterval(() => this.ping(), PING_EVERY_MS)
    this.options.events.welcome(welcome)
  }

  private ping(): void {
    if (this.now() - this.heardAt_ms > SILENCE_LIMIT_MS) return this.lost()
    this.send({ type: 'ping', sent_at: this.now() / 1000, ...this.options.line?.() })
  }

  private refuse(refusal: Refusal): void {
    if (refusal.id !== null) return this.settle(refusal.id, new CommandRefused(refusal.code, refusal.detail))
    if (this.state === 'open') return this.options.events.message(refusal)
    this.finish('refused')
    this.options.events.refused(refusal.code, refusal.detail)
  }

  private goodBye(code: string, detail: string): void {
    if (code === 'draining') return this.lost()
    this.finish('over')
    this.options.events.over(code, detail)
  }

  private lost(): void {
    if (this.state === 'over' || this.state === 'refused') return
    this.clearTimers()
    this.dropSocket()
    this.rejectPending()
    this.setState(this.resume === null && this.state === 'connecting' ? 'connecting' : 'reconnecting')
    const step = Math.min(RETRY_LONGEST_MS, RETRY_FIRST_MS * 2 ** Math.min(this.attempts, 10))
    // A server that comes back must not be met by every endpoint in the same instant.
    this.retryTimer = setTimeout(() => this.connect(), step * (0.75 + this.random() / 2))
  }

  private finish(state: 'over' | 'refused'): void {
    this.setState(state)
    this.clearTimers()
    this.dropSocket()
    this.rejectPending()
  }

  private settle(id: number, refusal: CommandRefused | null): void {
    const pending = this.pending.get(id)
    if (!pending) return
    this.pending.delete(id)
    clearTimeout(pending.timer)
    if (refusal) pending.reject(refusal)
    else pending.resolve()
  }

  private rejectPending(): void {
    for (const id of [...this.pending.keys()]) this.settle(id, new CommandRefused('connection_lost', ''))
  }

  private dropSocket(): void {
    const socket = this.socket
    if (!socket) return
    this.socket = null
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  private clearTimers(): void {
    if (this.pingTimer) clearInterval(this.pingTimer)
    if (this.retryTimer) clearTimeout(this.retryTimer)
    if (this.welcomeTimer) clearTimeout(this.welcomeTimer)
    if (this.suspicionTimer) clearTimeout(this.suspicionTimer)
    this.pingTimer = this.retryTimer = this.welcomeTimer = this.suspicionTimer = null
  }

  private setState(state: ConnectionState): void {
    if (this.state === state) return
    this.state = state
    this.options.events.state(state)
  }
}
