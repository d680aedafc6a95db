// Bundles src/ and css/ into the folder named on the command line. Run by hatch_build.py.
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const out = process.argv[2] ?? "../static";
await mkdir(out, { recursive: true });
await build({
  entryPoints: { app: "src/main.ts", style: "css/main.css" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome111", "firefox128", "safari16.4"],
  loader: { ".woff2": "file" },
  assetNames: "[name]",
  legalComments: "linked",
  logLevel: "warning",
});
await copyFile("index.html", `${out}/index.html`);
await copyFile("icon.svg", `${out}/icon.svg`);
