// A model that plays a goal over a real MCP server, in the protocol of OpenAI. Prints its address.
import { createServer } from "node:http";

const call = (id, name, args) => ({
  id, type: "function", function: { name, arguments: JSON.stringify(args) },
});
const folder = process.argv[2];
let hasHung = false;

// Which reply is next follows from the tools of the request and from the results that it contains.
const reply = (request) => {
  const results = request.messages.filter((one) => one.role === "tool");
  const names = (request.tools ?? []).map((tool) => tool.function.name);
  if (names.includes("files__write_file")) {
    if (results.length === 0) {
      return { tool_calls: [call("w", "files__write_file", { path: `${folder}/report.txt`, content: "42" })] };
    }
    if (!hasHung) {
      // The caller is killed in the middle of this conversation.
      hasHung = true;
      console.log("hangs after-write");
      return null;
    }
    return { content: "The report is written." };
  }
  if (names.includes("files__read_text_file")) {
    if (results.length === 0) {
      return { tool_calls: [
        call("a", "files__read_text_file", { path: `${folder}/a.txt` }),
        call("b", "files__read_text_file", { path: `${folder}/b.txt` }),
        call("s", "every__get-sum", { a: 20, b: 22 }),
        call("w", "web__get-sum", { a: 20, b: 23 }),
      ] };
    }
    return { content: "The files say ALPHA and BETA, and the sum is 42." };
  }
  // Only a plan has a schema.
  if (request.response_format) {
    const task = (name, agent, needs, prompt) => ({
      name, needs, kind: "agent", agent, prompt, tools: null, command: null, arguments: null,
      trigger: null, on_failure: null, expected_tokens: null,
    });
    return { content: JSON.stringify({ reasoning: "Read, then write.", tasks: [
      task("look", "reader", [], "Read both files and add."),
      task("report", "writer", ["look"], "Write the report."),
    ] }) };
  }
  return { content: "The files were read [look] and the report is written [report]." };
};

const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const said = reply(JSON.parse(body));
    if (said === null) return;
    const message = { role: "assistant", content: null, ...said };
    const finish_reason = message.tool_calls ? "tool_calls" : "stop";
    const usage = { prompt_tokens: 50, completion_tokens: 20, total_tokens: 70 };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({
      id: "c", object: "chat.completion", model: "tiny",
      choices: [{ index: 0, message, finish_reason }], usage,
    }));
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening http://127.0.0.1:${server.address().port}/v1/`));
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
