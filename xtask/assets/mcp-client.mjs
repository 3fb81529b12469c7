// The reference client of the protocol against `zeph mcp serve`: node client.mjs ZEPH DATABASE
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [program, database] = process.argv.slice(2);
const transport = new StdioClientTransport({
  command: program,
  args: ["mcp", "serve", "--allow-answers", "--allow-plans", "--db", database],
  env: { HOME: process.env.HOME, PATH: process.env.PATH },
  stderr: "inherit",
});
const client = new Client({ name: "reference", version: "1" });
await client.connect(transport);

const { tools } = await client.listTools();
const reading = tools.filter((tool) => tool.annotations.readOnlyHint).map((tool) => tool.name);
assert.deepEqual(reading, ["status", "show", "why", "list"]);

const used = new Set();
const call = async (name, args) => {
  used.add(name);
  const result = await client.callTool({ name, arguments: args });
  return { failed: result.isError === true, text: result.content[0].text };
};
const json = async (name, args) => {
  const { failed, text } = await call(name, args);
  assert.equal(failed, false, text);
  return JSON.parse(text);
};

const plan = "[tasks.a]\nrun = ['echo', 'hi']\n[tasks.b]\nneeds = ['a']\napprove = 'Go?'\nrun = ['echo', 'there']\n";
const begun = await json("run", { plan, name: "one" });
assert.equal(begun.state, "suspended");
const status = await json("status", { run: "one" });
assert.equal(status.questions[0].text, "Go?");
const why = await json("why", { run: "one", task: "b" });
assert.equal(why.reason, "asking");
const waits = await json("resume", { run: "one" });
assert.equal(waits.state, "suspended");
const ended = await json("answer", { run: "one", question: "b", text: "yes" });
assert.equal(ended.state, "completed");
const task = await json("show", { run: "one", task: "b" });
assert.equal(task.state, "completed");

const slow = await json("run", { plan: "[tasks.a]\nrun = ['sleep', '60']\n", name: "slow", wait_seconds: 1 });
assert.deepEqual(slow, { run: "slow", state: "running" });
assert.equal((await json("list", {})).length, 2);
assert.equal((await call("run", {})).failed, true);
assert.match((await call("status", { run: "nothing" })).text, /no_such_run/);
const canceled = await json("cancel", { run: "slow" });
assert.ok(canceled, "cancel answers");
await client.close();
// `plan` needs a model, and this client has none.
const unused = tools.map((tool) => tool.name).filter((name) => !used.has(name));
assert.deepEqual(unused, ["plan"]);
console.log(`the reference client used ${[...used].sort().join(", ")}, and not ${unused.join(", ")}`);
