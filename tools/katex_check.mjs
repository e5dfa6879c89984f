// One document's formulae on stdin, KaTeX's complaints on stdout; see katex_check.py.
//   {definitions, formulae: [{tex, offset, display}]}  ->  [{offset, message}]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const katex = createRequire(resolve(process.argv[2], "package.json"))("katex");
const { definitions, formulae } = JSON.parse(readFileSync(0, "utf8"));

// Words in \text{...} may carry accents; whatever else KaTeX would only warn of is an error.
const strict = (code) => (code === "unicodeTextInMathMode" ? "ignore" : "error");
// A label is for LaTeX: nothing to typeset.
const macros = { "\\label": "\\@firstoftwo{}" };
katex.renderToString(definitions, { macros, strict, globalGroup: true });

const complaints = [];
for (const { tex, offset, display } of formulae) {
  try {
    katex.renderToString(tex, { displayMode: display, throwOnError: true, strict, macros: { ...macros } });
  } catch (error) {
    complaints.push({ offset: offset + (error.position ?? 0), message: error.message });
  }
}
process.stdout.write(JSON.stringify(complaints));
