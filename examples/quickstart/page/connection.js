// A connection to sumu that looks after itself: it takes a fresh token for every
// attempt, waits longer after every failure, keeps the socket from idling, and
// matches replies to requests by "ref". It knows nothing of the page.

const KEEPALIVE_MS = 8 * 60_000; // the server closes a socket that is silent for 10 minutes
const REPLY_MS = 10_000;
const BACKOFF_MS = { first: 500, most: 30_000 };
const STABLE_MS = 5_000; // a connection that lasted this long starts the backoff anew

const ENDS = { // close codes after which a client does not come back by itself
  4001: 'the server closed your connection',
  4002: 'you joined elsewhere under this name',
};

/** Refused is an error that trying again does not mend, such as a name that may not be used. */
export class Refused extends Error {}

export class Connection {
  #options;
  #socket = null;
  #closed = true;
  #failures = 0;
  #openedAt = 0;
  #retryTimer = 0;
  #keepaliveTimer = 0;
  #attempt = 0;
  #refs = 0;
  #pending = new Map(); // ref -> {resolve, reject, timer}

  /**
   * options: url; token(): a promise of a fresh token, rejected with Refused when there is no
   * point in asking again; onState(state, detail) with "connecting", "open", "waiting" (detail: ms
   * until the next attempt), "closed" or "refused" (detail: the error); onMessage(object) for what is not a reply;
   * onFrame(direction, text) for a log, with "out", "in" or "note".
   */
  constructor(options) { this.#options = options; }

  open() {
    this.#closed = false;
    this.#failures = 0;
    this.#connect();
  }

  close() {
    this.#closed = true;
    this.#attempt++; // an attempt that waits for its token must not open a socket
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    const socket = this.#socket;
    if (socket) this.#ended(socket, { code: 1000, reason: 'left' });
    socket?.close(1000);
    this.#options.onState('closed');
  }

  /** Tries at once instead of waiting: the network is back, or the page is looked at again. */
  hurry() {
    if (this.#closed || this.#socket || !this.#retryTimer) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  /** Sends a frame and returns a promise of its reply; rejected when the connection is lost. */
  request(action, fields) {
    const ref = String(++this.#refs);
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) {
        reject(new Error('There is no connection right now.'));
        return;
      }
      const timer = setTimeout(() => this.#settle(ref, 'reject', new Error('The server did not answer in time.')), REPLY_MS);
      this.#pending.set(ref, { resolve, reject, timer });
      this.#send({ action, ref, ...fields });
    });
  }

  async #connect() {
    const attempt = ++this.#attempt;
    this.#retryTimer = 0;
    this.#options.onState('connecting');
    let token;
    try {
      token = await this.#options.token();
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error instanceof Refused) {
        this.#closed = true;
        this.#options.onState('refused', error);
      } else {
        this.#retry();
      }
      return;
    }
    if (attempt !== this.#attempt) return;
    // The token goes in a sub-protocol and not in the URL, which servers and proxies write to their logs.
    this.#options.onFrame('note', `connect ${this.#options.url} [sumu, bearer.(token)]`);
    const socket = new WebSocket(this.#options.url, ['sumu', `bearer.${token}`]);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => { if (socket === this.#socket) this.#received(event.data); };
    socket.onclose = (event) => this.#ended(socket, event);
  }

  #opened() {
    this.#openedAt = Date.now();
    // A little early and not in step with every other page.
    this.#keepaliveTimer = setInterval(() => this.#send({ action: 'keepalive' }), KEEPALIVE_MS * (0.9 + Math.random() / 10));
    this.#options.onState('open');
  }

  #ended(socket, event) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    clearInterval(this.#keepaliveTimer);
    if (this.#openedAt && Date.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
    this.#openedAt = 0;
    this.#options.onFrame('note', `closed ${event.code}${event.reason ? ` ${event.reason}` : ''}`);
    for (const ref of [...this.#pending.keys()]) this.#settle(ref, 'reject', new Error('The connection was lost.'));
    if (this.#closed) return;
    const end = ENDS[event.code];
    if (!end) {
      this.#retry();
      return;
    }
    this.#closed = true; // To come back at once would undo what the server did.
    this.#options.onState('refused', new Refused(end));
  }

  // Exponential, and jittered: when a server restarts, its clients must not all come back in the same moment.
  #retry() {
    const ceiling = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** this.#failures++);
    const wait = ceiling * (0.5 + Math.random() / 2);
    this.#retryTimer = setTimeout(() => this.#connect(), wait);
    this.#options.onState('waiting', wait);
  }

  #send(frame) {
    const text = JSON.stringify(frame);
    this.#options.onFrame('out', text);
    this.#socket?.send(text);
  }

  #received(text) {
    this.#options.onFrame('in', text);
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return; // Data is JSON; anything else is in the log and nowhere else.
    }
    // A join or leave is answered with its channel, and without a type.
    const reply = frame?.type === 'ack' || frame?.type === 'pong' || (frame?.type === undefined && frame?.channel !== undefined);
    if (reply && this.#settle(frame.ref, 'resolve', frame)) return;
    const refusal = frame?.type === 'error' || frame?.message === 'Forbidden'; // The latter: nothing handles the action.
    if (refusal && this.#settle(frame.ref, 'reject', replyError(frame))) return;
    this.#options.onMessage(frame);
  }

  #settle(ref, how, value) {
    const waiting = this.#pending.get(ref);
    if (!waiting) return false;
    this.#pending.delete(ref);
    clearTimeout(waiting.timer);
    waiting[how](value);
    return true;
  }
}

function replyError(frame) {
  const later = frame.code === 'unavailable' || frame.code === 'rate_limited';
  const words = typeof frame.message === 'string' ? frame.message : 'the server refused it';
  return later ? new Error(words) : new Refused(words);
}
