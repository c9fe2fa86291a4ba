// An agent of the Vercel AI SDK. Its telemetry is switched on once, here; where it goes, environment variables say (README.md).
import { openai } from "@ai-sdk/openai";
import { OpenTelemetry } from "@ai-sdk/otel";
import { generateText, registerTelemetry, streamText } from "ai";

registerTelemetry(new OpenTelemetry({ runtimeContext: true }));

const telemetry = {
  functionId: "headline_agent",
  includeRuntimeContext: { sessionId: true }, // or the session stays at home
  recordInputs: false,
  recordOutputs: false,
};

/** Shortens one headline and streams another, in one session. */
async function main() {
  const shared = { telemetry, runtimeContext: { sessionId: "headlines-1" } };
  await generateText({ model: openai.chat("gpt-4o-mini"), prompt: "Shorten: rates unchanged", ...shared });
  const stream = streamText({ model: openai.chat("gpt-4o"), prompt: "Shorten: rain until Friday", ...shared });
  for await (const part of stream.textStream) process.stdout.write(part);
}

await main();
