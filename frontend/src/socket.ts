// The engine of the local server: requests and answers over one WebSocket.
import type { Engine, NumberArray, Progress } from "./protocol";
import { type Answer, engineOver } from "./transport";

const RETRY_MILLISECONDS = 2000;

interface Pending {
  text: string;
  resolve(answer: Answer): void;
  progress: ((progress: Progress) => void) | undefined;
}

/** Whether the server answers; it refuses a page that has the token of an earlier one. */
export type Connection = "open" | "silent" | "refused";

/**
 * Connect to the server of this page; the token is that of the page's own address.
 *
 * A request that has no answer when the server stops is sent again to the next one.
 */
export function socketEngine(page: Location, onChange: (now: Connection) => void): Engine {
  const token = new URLSearchParams(page.search).get("token") ?? "";
  const address = new URL(`socket?token=${encodeURIComponent(token)}`, page.href);
  address.protocol = page.protocol === "https:" ? "wss:" : "ws:";
  address.hash = "";
  const pending = new Map<number, Pending>();
  let socket: WebSocket;
  let count = 0;

  function connect(): void {
    socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      onChange("open");
      for (const { text } of pending.values()) socket.send(text);
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => receive(unpacked(data));
    socket.onclose = () => {
      void refusal().then(onChange);
      setTimeout(connect, RETRY_MILLISECONDS);
    };
  }

  /** Ask why the socket is closed: a socket that is refused does not say so. */
  async function refusal(): Promise<Connection> {
    const answer = await fetch(page.href).catch(() => null);
    return answer?.status === 403 ? "refused" : "silent";
  }

  function receive(answer: Answer): void {
    const { id, progress } = answer.json as { id?: number; progress?: Progress };
    const request = id === undefined ? undefined : pending.get(id);
    if (id === undefined || !request) return;
    if (progress) {
      request.progress?.(progress);
    } else {
      pending.delete(id);
      request.resolve(answer);
    }
  }

  connect();
  return engineOver(
    (request, progress) =>
      new Promise((resolve) => {
        const id = count++;
        const text = JSON.stringify({ id, ...request });
        pending.set(id, { text, resolve, progress });
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      }),
  );
}

/** Read what `server.packed` wrote: the length of the JSON text, the text, and the arrays. */
export function unpacked(message: ArrayBuffer): Answer {
  const length = new DataView(message).getUint32(0, true);
  const text = new TextDecoder().decode(new Uint8Array(message, 4, length));
  const { arrays: shapes = {}, ...json } = JSON.parse(text) as {
    arrays?: Record<string, number[]>;
  };
  const arrays: Record<string, NumberArray> = {};
  let begin = 4 + length;
  for (const [name, shape] of Object.entries(shapes)) {
    const size = shape.reduce((product, n) => product * n, 1);
    arrays[name] = { shape, data: new Float32Array(message, begin, size) };
    begin += 4 * size;
  }
  return { json, arrays };
}
