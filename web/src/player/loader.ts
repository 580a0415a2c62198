/**
 * Bytes from a WebSocket for mpegts.js. Its own loader throws where nobody can catch it when a socket fails after it
 * was closed, which is what happens whenever a box goes away.
 */
export class SocketLoader {
  readonly type = "box-socket";
  readonly needStashBuffer = false;
  _status: number = IDLE;
  _needStash = false;

  // Set by the player.
  onContentLengthKnown = (_length: number): void => {};
  onURLRedirect = (_address: string): void => {};
  onDataArrival = (_chunk: ArrayBuffer, _byteStart: number, _receivedLength?: number): void => {};
  onError = (_type: unknown, _info: { code: number; msg: string }): void => {};
  onComplete = (_from: number, _to: number): void => {};

  #socket: WebSocket | null = null;
  #received = 0;

  get status(): number {
    return this._status;
  }

  isWorking(): boolean {
    return this._status === CONNECTING || this._status === BUFFERING;
  }

  open({ url }: { url: string }): void {
    const socket = new WebSocket(url);
    this.#socket = socket;
    this._status = CONNECTING;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket || !(data instanceof ArrayBuffer)) return;
      this._status = BUFFERING;
      const at = this.#received;
      this.#received += data.byteLength;
      this.onDataArrival(data, at, this.#received);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this._status = COMPLETE;
      this.onComplete(0, this.#received - 1);
    };
  }

  abort(): void {
    const socket = this.#socket;
    this.#socket = null;
    this._status = COMPLETE;
    socket?.close();
  }

  destroy(): void {
    this.abort();
  }
}

const IDLE = 0;
const CONNECTING = 1;
const BUFFERING = 2;
const COMPLETE = 4;
