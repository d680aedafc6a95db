// Bundles src/ and css/ into the folder named on the command line, with the licences of what is in it. Run by hatch_build.py.
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const out = process.argv[2] ?? "../static";
await mkdir(out, { recursive: true });
const { metafile } = await build({
  entryPoints: { app: "src/main.ts", style: "css/main.css" },
  outdir: out,
  bundle: true,
  minify: true,
  metafile: true,
  format: "esm",
  target: ["chrome111", "firefox128", "safari16.4"],
  loader: { ".woff2": "file" },
  assetNames: "[name]",
  legalComments: "none",
  logLevel: "warning",
});
await copyFile("index.html", `${out}/index.html`);
await copyFile("icon.svg", `${out}/icon.svg`);

const names = new Set(Object.keys(metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]).filter(Boolean));
const parts = ["What this page contains of others' work, and its terms.\n"];
for (const name of [...names].sort()) {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
  const file = (await readdir(folder)).find((found) => /^licen[sc]e/i.test(found));
  if (!file) throw new Error(`${name} ${version} brings no licence text`);
  parts.push(`\n${"-".repeat(78)}\n${name} ${version} (${license})\n\n${await readFile(`${folder}/${file}`, "utf8")}`);
}
await writeFile(`${out}/third-party.txt`, parts.join(""));
