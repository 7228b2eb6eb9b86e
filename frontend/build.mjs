// Build the bundles: node build.mjs [FOLDER]. Those of the library's folder are committed.
import { build } from "esbuild";

const shared = {
  bundle: true,
  minify: true,
  target: "es2022",
  legalComments: "eof", // the licences of d3 stay in the bundle
  charset: "utf8",
  outdir: process.argv[2] ?? "../lecture_optax/interactive/static",
  loader: { ".css": "css" },
};

await build({ ...shared, entryPoints: { lab: "src/page.ts" }, format: "iife" });
await build({ ...shared, entryPoints: { widget: "src/widget.ts" }, format: "esm" });
