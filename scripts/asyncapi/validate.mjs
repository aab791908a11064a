// Lets AsyncAPI's own parser judge a document; references are resolved from
// the document's folder. Exit code 1 for any error.
//
//   node validate.mjs ../../schemas/asyncapi.yaml
import { Parser, fromFile } from '@asyncapi/parser';

const path = process.argv[2];
const { document, diagnostics } = await fromFile(new Parser(), path).parse();
const errors = diagnostics.filter((d) => d.severity === 0);
for (const d of diagnostics) {
  if (d.severity <= 1) {
    console.error(`${path}:${d.range.start.line + 1}: ${d.severity === 0 ? 'error' : 'warning'}: ${d.message} (${d.path.join('.')})`);
  }
}
if (errors.length > 0 || !document) {
  process.exit(1);
}
const messages = document.allMessages().all().length;
console.log(`${path}: valid AsyncAPI ${document.version()}, ${document.channels().all().length} channels, ${messages} messages`);
