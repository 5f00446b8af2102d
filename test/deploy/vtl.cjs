// Renders API Gateway's mapping templates: one JSON request in each line of
// standard input, one JSON answer in each line of standard output. What the
// engine lacks of Java and of API Gateway is added here.
"use strict";
const { createInterface } = require("node:readline");
const { createRequire } = require("node:module");
const { Compile, parse } = createRequire(process.argv[2] + "/package.json")("velocityjs");

// In Java the first argument is a regular expression.
String.prototype.replaceAll = function (pattern, by) {
  return this.replace(new RegExp(pattern, "g"), () => by);
};
String.prototype.contains = function (part) {
  return this.includes(part);
};

// escapeJavaScript is that of Apache's commons-lang: it escapes the single
// quote too, which is not valid in JSON.
function escapeJavaScript(s) {
  const short = { "\b": "\\b", "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r", "'": "\\'", '"': '\\"', "\\": "\\\\", "/": "\\/" };
  let out = "";
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (short[s[i]]) out += short[s[i]];
    else if (c < 32 || c > 0x7e) out += "\\u" + c.toString(16).toUpperCase().padStart(4, "0");
    else out += s[i];
  }
  return out;
}

// urlEncode is that of java.net.URLEncoder.
function urlEncode(s) {
  return encodeURIComponent(s.toWellFormed ? s.toWellFormed() : s)
    .replace(/%20/g, "+").replace(/[!'()~]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());
}

function at(body, path) {
  if (!path.startsWith("$")) throw new Error("path " + path);
  let v = JSON.parse(body);
  for (const key of path.slice(1).split(".").filter(Boolean)) v = v == null ? undefined : v[key];
  return v;
}

function maps(v) { // Java's maps have methods.
  if (v && typeof v === "object" && !Array.isArray(v)) {
    Object.defineProperty(v, "containsKey", { value: (k) => Object.hasOwn(v, k), enumerable: false });
  }
  return v;
}

function render(r) {
  const env = {
    context: r.context,
    util: { escapeJavaScript, urlEncode },
    input: {
      body: r.body,
      // A path that is not there: an empty string, with its quotes.
      json: (path) => JSON.stringify(at(r.body, path) ?? (at(r.body, path) === null ? null : "")),
      path: (path) => maps(at(r.body, path) ?? ""),
    },
  };
  return new Compile(parse(r.template), { escape: false }).render(env);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    answer = { text: render(JSON.parse(line)) };
  } catch (e) {
    answer = { error: String(e && e.stack || e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
