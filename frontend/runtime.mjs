// Write the runtime of the static page into a folder: node runtime.mjs FOLDER
//
// A page that is read from a disk may load scripts, and neither modules nor other files: the runtime
// becomes a script that sets a global, and its WebAssembly a text in another one.
import { readFile, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const folder = process.argv[2];
if (!folder) throw new Error("name the folder: node runtime.mjs FOLDER");

await build({
  stdin: { contents: 'import * as ort from "onnxruntime-web/wasm"; globalThis.ort = ort;', resolveDir: "." },
  outfile: `${folder}/ort.js`,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  legalComments: "eof",
  logOverride: { "empty-import-meta": "silent" }, // it asks for its own address, which it does not need
});

const wasm = gzipSync(await readFile("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"), { level: 9 });
await writeFile(`${folder}/runtime.js`, `(globalThis.lectureOptaxLab ??= {}).runtime = "${wasm.toString("base64")}";\n`);
