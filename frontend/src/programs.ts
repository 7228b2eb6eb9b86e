// The exported programs, and the runtime that runs them: scripts beside this one, without a server.
import type * as Ort from "onnxruntime-web";
import type { Engine, Form, Handle, Page } from "./protocol";

/** A text that the page runs, with `#` in place of its numbers: tools/export_lab.py. */
export interface Structure {
  title: string;
  method: string;
  /** The structure of its schedule; null for a constant learning rate. */
  schedule: string | null;
  /** Which number is the first of the learning rate. */
  rate: number;
  has_average: boolean;
  form: Form | null;
  handles: Handle[];
}

interface Contents {
  page: Page;
  structures: Record<string, Structure>;
  /** The lowest loss of a landscape whose minimum is a saddle point. */
  lowest: Record<string, number | null>;
  grid: number;
  products: number[];
  momenta: number[];
  /** The length in bytes of each program and array, in order. */
  sizes: Record<string, number>;
}

/** What the scripts of the page set. A page on a disk may read scripts, and no other file. */
declare global {
  var ort: typeof Ort;
  var lectureOptaxLab: { engine: Engine; programs?: string; runtime?: string };
}

export class Programs {
  private readonly sessions = new Map<string, Promise<Ort.InferenceSession>>();
  private runtime: Promise<void> | null = null;

  private constructor(
    private readonly folder: string,
    readonly contents: Contents,
    private readonly blobs: Map<string, Uint8Array>,
  ) {}

  /** Load the programs that are beside a script. */
  static async beside(script: string): Promise<Programs> {
    const folder = script.slice(0, script.lastIndexOf("/") + 1);
    await load(`${folder}programs.js`);
    const bytes = await unpacked(globalThis.lectureOptaxLab.programs);
    const [length = 0] = new Uint32Array(bytes.slice(0, 4).buffer);
    const contents = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Contents;
    const blobs = new Map<string, Uint8Array>();
    let begin = 4 + length;
    for (const [name, size] of Object.entries(contents.sizes)) {
      blobs.set(name, bytes.subarray(begin, (begin += size)));
    }
    return new Programs(folder, contents, blobs);
  }

  /** The number of programs that were made ready to run. */
  get ready(): number {
    return this.sessions.size;
  }

  /** Return the bytes of an array that was exported. */
  bytes(name: string): Uint8Array {
    const found = this.blobs.get(name);
    if (!found) throw new Error(`this page has no ${name}.`);
    return found;
  }

  /** Return what a program makes of its inputs, each a list of numbers; it takes those that it needs. */
  async run(name: string, inputs: Record<string, Input>): Promise<Float32Array[]> {
    const session = await this.session(name);
    const feeds = Object.fromEntries(session.inputNames.map((input) => [input, tensor(inputs[input])]));
    const answer = await session.run(feeds);
    return session.outputNames.map((output) => answer[output]?.data as Float32Array);
  }

  private session(name: string): Promise<Ort.InferenceSession> {
    const known = this.sessions.get(name);
    if (known) return known;
    const made = this.start(name);
    this.sessions.set(name, made);
    return made;
  }

  private async start(name: string): Promise<Ort.InferenceSession> {
    this.runtime ??= this.loadRuntime();
    await this.runtime;
    return ort.InferenceSession.create(this.bytes(name), { executionProviders: ["wasm"], logSeverityLevel: 3 });
  }

  private async loadRuntime(): Promise<void> {
    await Promise.all([load(`${this.folder}ort.js`), load(`${this.folder}runtime.js`)]);
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // more need headers that a file has not
    ort.env.wasm.wasmBinary = (await unpacked(globalThis.lectureOptaxLab.runtime)).buffer;
  }
}

/** Numbers with a shape, or a count. */
export type Input = { data: ArrayLike<number>; shape: number[] } | number;

function tensor(input: Input | undefined): Ort.Tensor {
  if (input === undefined) throw new Error("a program needs an input that the page does not give.");
  if (typeof input === "number") return new ort.Tensor("int64", [BigInt(input)], []);
  const data = input.data instanceof Float32Array ? input.data : Float32Array.from(input.data);
  return new ort.Tensor("float32", data, input.shape);
}

/** Run a script of the page's folder. */
function load(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`the page lacks ${url}.`));
    document.head.append(script);
  });
}

/** Return the bytes whose gzip is written in base64. */
async function unpacked(text = ""): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
