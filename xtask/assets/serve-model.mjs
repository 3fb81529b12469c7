// Serves one GGUF model over the OpenAI chat protocol, on loopback, one request after the other.
//
// Usage: node serve-model.mjs MODEL.gguf ALIAS. Prints `listening URL` when the model is loaded and
// ends when its standard input closes, so that it never outlives who started it. It offers
// completions, streams and JSON schemas (as a grammar); a model this small calls no tools, so
// offered tools are left unused and a demand for a call is refused.

import http from "node:http";
import {getLlama, LlamaChat, ChatMLChatWrapper, LlamaLogLevel} from "node-llama-cpp";

const [path, alias] = process.argv.slice(2);
const contextSize = 4096;
const mostTokens = 512;
// A small model repeats itself until something stops it: these do, where the schema sets no lower
// bound.
const mostLetters = 80;
const mostItems = 2;

process.stdin.resume().on("close", () => process.exit(0));

// A prebuilt binary or nothing: no compiler, no download, no graphics card.
const llama = await getLlama({
    gpu: false, build: "never", skipDownload: true, progressLogs: false,
    maxThreads: 1, logLevel: LlamaLogLevel.error
});
const model = await llama.loadModel({modelPath: path});
const context = await model.createContext({contextSize, threads: 1});
const sequence = context.getSequence();
const chat = new LlamaChat({contextSequence: sequence, chatWrapper: new ChatMLChatWrapper()});

class Refusal extends Error {
    constructor(status, code, message) {
        super(message);
        Object.assign(this, {status, code});
    }
}

// One sequence serves all: requests wait for each other.
let last = Promise.resolve();
function inTurn(work) {
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return mine;
}

function textOf(content) {
    if (typeof content === "string") return content;
    if (content == null) return "";
    if (Array.isArray(content) && content.every((part) => part?.type === "text")) {
        return content.map((part) => part.text).join("");
    }
    throw new Refusal(400, "invalid_request", "messages: content is text or a list of text parts");
}

function historyOf(messages) {
    if (!Array.isArray(messages) || messages.length === 0) {
        throw new Refusal(400, "invalid_request", "messages: at least one is needed");
    }
    const history = messages.map(({role, content}) => {
        const text = textOf(content);
        if (role === "system" || role === "developer") return {type: "system", text};
        if (role === "user") return {type: "user", text};
        if (role === "assistant") return {type: "model", response: [text]};
        throw new Refusal(400, "invalid_request", `messages: role ${role} is not served`);
    });
    if (history.at(-1).type !== "model") history.push({type: "model", response: []});
    return history;
}

// What narrows a value without shaping it: who asked for the schema validates the answer anyway.
const narrowing = new Set([
    "title", "description", "default", "examples", "$schema", "$id", "$comment", "pattern", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "required",
    "deprecated", "readOnly", "writeOnly"
]);
const copied = ["minItems", "maxItems", "minLength", "maxLength", "const", "enum"];
const formats = new Set(["date", "time", "date-time"]);

function bounded(most, least, own) {
    return Math.min(most ?? Infinity, Math.max(own, least ?? 0));
}

// A JSON schema in the words that the grammar generator knows.
function grammarSchema(schema, place = "#") {
    if (schema === true || (schema && Object.keys(schema).length === 0)) {
        throw new Refusal(400, "invalid_schema", `${place}: a schema that allows anything has no grammar`);
    }
    if (typeof schema !== "object" || schema === null || place.length > 400) {
        throw new Refusal(400, "invalid_schema", `${place}: not a schema that can be served`);
    }
    const known = {};
    const each = (map, name) => Object.fromEntries(
        Object.entries(map).map(([key, value]) => [key, grammarSchema(value, `${place}/${name}/${key}`)])
    );
    for (const [word, value] of Object.entries(schema)) {
        if (word === "$ref") known.$ref = value.replace("#/definitions/", "#/$defs/");
        else if (word === "$defs" || word === "definitions") known.$defs = each(value, word);
        else if (word === "properties") known.properties = each(value, word);
        else if (word === "anyOf" || word === "oneOf") {
            known.oneOf = value.map((one, index) => grammarSchema(one, `${place}/${word}/${index}`));
        } else if (word === "prefixItems") {
            known.prefixItems = value.map((one, index) => grammarSchema(one, `${place}/${word}/${index}`));
        } else if (word === "items") known.items = grammarSchema(value, `${place}/items`);
        else if (word === "additionalProperties") {
            if (typeof value === "object") known.additionalProperties = grammarSchema(value, `${place}/${word}`);
        } else if (word === "format") {
            if (formats.has(value)) known.format = value;
        } else if (copied.includes(word) || word === "type") known[word] = value;
        else if (!narrowing.has(word)) {
            throw new Refusal(400, "invalid_schema", `${place}: no grammar for "${word}"`);
        }
    }
    if (known.type === "string" && !known.format && !known.enum) {
        known.maxLength = bounded(known.maxLength, known.minLength, mostLetters);
    }
    if (known.type === "array") known.maxItems ??= Math.max(mostItems, known.minItems ?? 0);
    const structured = (type) => type === "object" || type === "array";
    if (Array.isArray(known.type) && known.type.some(structured)) {
        const {type, $defs, ...rest} = known;
        const oneOf = type.map((one) => structured(one) ? {...rest, type: one} : {type: one});
        return $defs ? {oneOf, $defs} : {oneOf};
    }
    return known;
}

async function grammarOf(format) {
    if (format == null || format.type === "text") return undefined;
    if (format.type === "json_object") return await llama.getGrammarFor("json");
    if (format.type !== "json_schema") {
        throw new Refusal(400, "invalid_request", `response_format: type ${format.type} is not served`);
    }
    const schema = grammarSchema(format.json_schema?.schema);
    try {
        return await llama.createGrammarForJsonSchema(schema);
    } catch (error) {
        throw new Refusal(400, "invalid_schema", `no grammar for this schema: ${error.message}`);
    }
}

async function answer(request, onText, signal) {
    if (request.model !== alias) {
        throw new Refusal(404, "model_not_found", `this server has ${alias}, not ${request.model}`);
    }
    if ((request.n ?? 1) !== 1) throw new Refusal(400, "invalid_request", "n: only 1 is served");
    if (request.tools?.length && !["auto", "none", undefined].includes(request.tool_choice)) {
        throw new Refusal(400, "invalid_request", "tool_choice: this model cannot be made to call tools");
    }
    const history = historyOf(request.messages);
    const grammar = await grammarOf(request.response_format);
    const {contextText} = chat.chatWrapper.generateContextState({chatHistory: history});
    const promptTokens = contextText.tokenize(model.tokenizer).length;
    const wanted = request.max_completion_tokens ?? request.max_tokens ?? mostTokens;
    const maxTokens = Math.min(wanted, mostTokens);
    if (promptTokens + maxTokens > contextSize) {
        throw new Refusal(400, "context_length_exceeded",
            `${promptTokens} prompt and ${maxTokens} answer tokens; the context has ${contextSize}`);
    }
    let completionTokens = 0;
    const {response, metadata} = await chat.generateResponse(history, {
        grammar, maxTokens, signal,
        temperature: request.temperature ?? 0,
        topP: request.top_p ?? 1,
        seed: request.seed ?? 1,
        // Without a penalty prose goes round in circles; with one JSON loses its words.
        repeatPenalty: grammar ? false : {lastTokens: 128, penalty: 1.15},
        onToken: (tokens) => { completionTokens += tokens.length; },
        onTextChunk: onText
    });
    return {
        text: response,
        finish: metadata.stopReason === "maxTokens" ? "length" : "stop",
        usage: {
            prompt_tokens: promptTokens, completion_tokens: completionTokens,
            total_tokens: promptTokens + completionTokens
        }
    };
}

async function completions(request, response, signal) {
    const id = `chatcmpl-${process.pid}-${Date.now()}`;
    const head = {id, created: Math.floor(Date.now() / 1000), model: alias};
    if (!request.stream) {
        const {text, finish, usage} = await inTurn(() => answer(request, undefined, signal));
        const choice = {index: 0, message: {role: "assistant", content: text}, finish_reason: finish};
        return json(response, 200, {...head, object: "chat.completion", choices: [choice], usage});
    }
    const send = (choices, usage) => {
        if (!response.headersSent) response.writeHead(200, {"content-type": "text/event-stream"});
        const chunk = {...head, object: "chat.completion.chunk", choices, ...usage && {usage}};
        response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    const delta = (content) => send([{index: 0, delta: {role: "assistant", content}, finish_reason: null}]);
    const {finish, usage} = await inTurn(() => answer(request, delta, signal));
    send([{index: 0, delta: {}, finish_reason: finish}]);
    if (request.stream_options?.include_usage) send([], usage);
    response.end("data: [DONE]\n\n");
}

function json(response, status, body) {
    response.writeHead(status, {"content-type": "application/json"}).end(JSON.stringify(body));
}

async function bodyOf(incoming) {
    const parts = [];
    for await (const part of incoming) parts.push(part);
    try {
        return JSON.parse(Buffer.concat(parts).toString("utf8"));
    } catch {
        throw new Refusal(400, "invalid_request", "the body is not JSON");
    }
}

const server = http.createServer(async (incoming, response) => {
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    try {
        if (incoming.method === "GET" && incoming.url === "/v1/models") {
            return json(response, 200, {object: "list", data: [{id: alias, object: "model", owned_by: "local"}]});
        }
        if (incoming.method !== "POST" || incoming.url !== "/v1/chat/completions") {
            throw new Refusal(404, "not_found", `${incoming.method} ${incoming.url} is not served`);
        }
        await completions(await bodyOf(incoming), response, gone.signal);
    } catch (error) {
        if (gone.signal.aborted) return;
        const status = error.status ?? 500;
        // A stream that has begun can only be cut: its reader then knows that it is no answer.
        if (response.headersSent) return response.destroy();
        json(response, status, {error: {message: error.message, type: "error", code: error.code ?? "internal"}});
    }
});
server.listen(0, "127.0.0.1", () => {
    console.log(`listening http://127.0.0.1:${server.address().port}/v1/`);
});
