// eslint for the JavaScript of widgets and pages, run by `make check`. No file of a widget imports another: Python puts
// the files of a widget one after the other, and they are one module (`source` in gru4rec_lite/widgets/_base.py). So
// each file is told here which names the files before it give, and which of its own names the files after it take.
import { readdirSync, readFileSync } from "node:fs";
import js from "@eslint/js";
import { Linter } from "eslint";

const HOME = "gru4rec_lite/widgets/";
// What a browser gives. Few, and no `name`, `status`, `top` or `history`, which would hide a missing declaration.
const BROWSER = ["document", "matchMedia", "setInterval", "clearInterval", "ResizeObserver"];
const PAGE = ["document", "URL", "Blob", "AbortController", "addEventListener", "console", "atob"];
const given = (names) => Object.fromEntries(names.map((name) => [name, "readonly"]));

// The parts of each widget, in order, as its Python says: `source("_gates_math.js", "gates.js")`, behind _shared.js.
const python = readdirSync(HOME).filter((name) => name.endsWith(".py"));
const sources = python.flatMap((name) => [
  ...readFileSync(HOME + name, "utf8").matchAll(/^ +_esm.*? = source\(((?:"\w+\.js",? ?)+)\)/gm),
]);
const widgets = sources.map(([, names]) => ["_shared.js", ...names.match(/\w+\.js/g)]);

// Names that a file declares at its top, and names that it uses and does not declare.
function namesOf(file) {
  const linter = new Linter();
  linter.verify(readFileSync(HOME + file, "utf8"), { languageOptions: { sourceType: "module" } });
  const everything = linter.getSourceCode().scopeManager.globalScope;
  return {
    declares: [...everything.childScopes[0].set.keys()],
    needs: everything.through.map((use) => use.identifier.name),
  };
}
const files = [...new Set(widgets.flat())];
const names = Object.fromEntries(files.map((file) => [file, namesOf(file)]));
for (const parts of widgets) {
  const all = parts.flatMap((file) => names[file].declares);
  const twice = all.filter((name, i) => all.indexOf(name) !== i);
  if (twice.length) throw new Error(`${parts.join(" + ")}: ${twice} declared twice in one module`);
}

function configOf(file) {
  const own = widgets.filter((parts) => parts.includes(file)).map((parts) => [parts, parts.indexOf(file)]);
  const before = own.flatMap(([parts, i]) => parts.slice(0, i)).flatMap((part) => names[part].declares);
  const after = own.flatMap(([parts, i]) => parts.slice(i + 1)).flatMap((part) => names[part].needs);
  const taken = names[file].declares.filter((name) => after.includes(name));
  const unused = { varsIgnorePattern: `^(${taken.join("|")})$` };
  return {
    files: [HOME + file],
    languageOptions: { globals: given([...BROWSER, ...before]) },
    rules: after.length ? { "no-unused-vars": ["error", unused] } : {},
  };
}

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "max-len": ["error", { code: 120 }], // prettier breaks no string and no comment
      "one-var": ["error", "never"], // prettier sets two in one declaration apart from each other
      "prefer-const": "error",
      "no-var": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
    },
  },
  ...files.map(configOf),
  { files: ["book/_ext/static/*.js"], languageOptions: { globals: given(PAGE) } },
];
