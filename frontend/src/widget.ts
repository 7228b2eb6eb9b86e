// The entry of notebooks: anywidget calls `render` for each cell that shows the lab.
import { mount } from "./app";
import type { Engine, NumberArray, Progress, State } from "./protocol";
import { type Answer, engineOver } from "./transport";

/** What anywidget gives: the state that Python sees, and messages to and from the kernel. */
interface Model {
  get(name: "state"): State;
  set(name: "state", value: State): void;
  save_changes(): void;
  send(content: object): void;
  on(event: "msg:custom", listener: Listener): void;
  off(event: "msg:custom", listener: Listener): void;
}

type Listener = (content: Message, buffers: DataView[]) => void;

interface Message {
  id: number;
  progress?: Progress;
  /** The shapes of the buffers, in their order. */
  arrays?: Record<string, number[]>;
}

interface Pending {
  resolve(answer: Answer): void;
  progress: ((progress: Progress) => void) | undefined;
}

let count = 0; // two cells may show one model: a number names a request of both

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const { engine, close } = kernelEngine(model);
  const lab = mount(el, engine, {
    state: model.get("state"),
    share: false,
    compact: true,
    changed: (state) => {
      model.set("state", state);
      model.save_changes();
    },
  });
  return () => {
    lab.destroy();
    close();
  };
}

export default { render };

/** Return an engine whose requests are messages to the kernel, and what ends it. */
function kernelEngine(model: Model): { engine: Engine; close(): void } {
  const pending = new Map<number, Pending>();

  const receive: Listener = ({ id, progress, arrays = {}, ...json }, buffers) => {
    const request = pending.get(id);
    if (!request) return;
    if (progress) {
      request.progress?.(progress);
    } else {
      pending.delete(id);
      request.resolve({ json, arrays: arraysOf(arrays, buffers) });
    }
  };

  model.on("msg:custom", receive);
  const engine = engineOver(
    (request, progress) =>
      new Promise((resolve) => {
        const id = count++;
        pending.set(id, { resolve, progress });
        model.send({ id, ...request });
      }),
  );
  return { engine, close: () => model.off("msg:custom", receive) };
}

function arraysOf(shapes: Record<string, number[]>, buffers: DataView[]): Record<string, NumberArray> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => {
      const { buffer, byteOffset, byteLength } = buffers[i] ?? new DataView(new ArrayBuffer(0));
      const copy = buffer.slice(byteOffset, byteOffset + byteLength); // its offset may be odd
      return [name, { shape, data: new Float32Array(copy) }];
    }),
  );
}
