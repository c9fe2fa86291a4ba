// A Node agent that knows nothing of telemetry: only the OpenAI SDK. Environment variables do the rest (README.md).
"use strict";

const OpenAI = require("openai");

const HEADLINES = ["Rates unchanged", "A quiet quarter", "Rain until Friday"];

/** Shortens two headlines, streams the third, and files them by embedding. */
async function main() {
  const client = new OpenAI();
  for (const content of HEADLINES.slice(0, 2)) {
    await client.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content }] });
  }
  const stream = await client.chat.completions.create({
    model: "gpt-4o",
    messages: [{ role: "user", content: HEADLINES[2] }],
    stream: true,
    stream_options: { include_usage: true }, // a stream says what it used only when asked
  });
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
  await client.embeddings.create({ model: "text-embedding-3-small", input: HEADLINES });
}

main();
