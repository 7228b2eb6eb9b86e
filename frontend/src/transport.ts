// An engine over anything that carries a request and brings JSON with arrays back.
import type {
  Engine,
  Field,
  NumberArray,
  Page,
  Progress,
  Reading,
  Refusal,
  Region,
  Run,
} from "./protocol";

/** An answer: what its JSON says, and the arrays beside it. */
export interface Answer {
  json: object;
  arrays: Record<string, NumberArray>;
}

export type Ask = (request: object, progress?: (progress: Progress) => void) => Promise<Answer>;

/** Return the engine that asks by `ask`: a socket, or a notebook's kernel. */
export function engineOver(ask: Ask): Engine {
  return {
    any_text: true,
    page: async () => (await ask({ ask: "page" })).json as Page,
    read: async (text) => (await ask({ ask: "read", text })).json as Reading | Refusal,
    run: async (state, progress) => runOf(await ask({ ask: "run", state }, progress)),
    field: async (landscape, controls) =>
      withArray<Field>(await ask({ ask: "field", landscape, controls }), "loss", "field"),
    region: async (form) =>
      withArray<Region>(await ask({ ask: "region", form }), "radius", "radius"),
  };
}

/** The plane of a network comes as the array `field` beside the arrays of the paths. */
function runOf({ json, arrays }: Answer): Run | Refusal {
  if ("error" in json) return json as Refusal;
  const { field: plane, ...rest } = arrays;
  const run = { ...json, arrays: rest } as Run;
  if (run.field && plane) run.field = { ...run.field, loss: plane };
  return run;
}

function withArray<T>({ json, arrays }: Answer, name: keyof T & string, sent: string): T | Refusal {
  return "error" in json ? (json as Refusal) : ({ ...json, [name]: arrays[sent] } as T);
}
