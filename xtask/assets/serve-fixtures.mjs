// Runs aimock on loopback; its client gives it the fixtures. What none of them matches is an error.
//
// Prints `listening URL` and ends when its standard input closes, so that it never outlives who
// started it.

import {LLMock} from "@copilotkit/aimock";

process.stdin.resume().on("close", () => process.exit(0));

const mock = new LLMock({port: 0, host: "127.0.0.1", strict: true});
await mock.start();
console.log(`listening ${mock.url}/`);
