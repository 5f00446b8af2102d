// Checks a CloudFormation template (JSON, standard input) against AWS's
// specification: every resource type, property name, type, required property
// and attribute of a GetAtt. Prints one line for each fault, and their number.
"use strict";
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { loadAwsServiceSpecSync } = createRequire(process.argv[2] + "/package.json")("@aws-cdk/aws-service-spec");

const db = loadAwsServiceSpecSync();
const template = JSON.parse(readFileSync(0, "utf8"));
let faults = 0, checked = 0;
const fault = (where, text) => { faults++; console.log(`${where}: ${text}`); };

// AWS::Serverless types are SAM's own: what they become is not in the template.
const sam = (type) => type.startsWith("AWS::Serverless::");

const specs = {};
for (const [name, r] of Object.entries(template.Resources)) {
  const spec = [...db.lookup("resource", "cloudFormationType", "equals", r.Type)][0];
  if (spec) specs[name] = spec;
  else if (!sam(r.Type)) fault(name, `there is no type ${r.Type}`);
}
for (const [name, r] of Object.entries(template.Resources)) {
  for (const key of Object.keys(r)) {
    if (!["Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy"].includes(key)) fault(name, `there is no ${key}`);
  }
  for (const other of [].concat(r.DependsOn ?? [])) if (!template.Resources[other]) fault(name, `DependsOn ${other}, which is not there`);
  if (!sam(r.Type) && specs[name]) object(name, r.Properties ?? {}, specs[name].properties);
}
attributes("template", template.Resources);
attributes("template", template.Outputs ?? {});
console.log(`${checked} properties of ${Object.keys(template.Resources).length} resources, ${faults} faults`);

function object(where, value, properties) {
  for (const [key, v] of Object.entries(value)) {
    const p = properties[key];
    checked++;
    if (!p) fault(where, `there is no property ${key}`);
    else check(`${where}.${key}`, v, p.type);
  }
  for (const [key, p] of Object.entries(properties)) if (p.required && !(key in value)) fault(where, `lacks ${key}`);
}

// A function of CloudFormation gives some value: only the branches of an If are seen.
function branches(v) {
  if (v === null || typeof v !== "object" || Array.isArray(v)) return [v];
  const keys = Object.keys(v);
  if (keys.length !== 1) return [v];
  if (keys[0] === "Fn::If") return v["Fn::If"].slice(1).flatMap(branches);
  if (keys[0] === "Ref" || keys[0].startsWith("Fn::")) return [];
  return [v];
}

function check(where, value, type) {
  for (const v of branches(value)) one(where, v, type);
}

function one(where, v, type) {
  switch (type.type) {
    case "string":
    case "date-time":
      if (typeof v !== "string") fault(where, `is ${JSON.stringify(v)}, want a string`);
      else if (type.allowedValues && !type.allowedValues.includes(v)) fault(where, `is ${v}, want one of ${type.allowedValues}`);
      return;
    case "integer":
    case "number":
      if (typeof v !== "string" || !/^-?\d+(\.\d+)?$/.test(v)) fault(where, `is ${JSON.stringify(v)}, want a number`);
      return;
    case "boolean":
      if (typeof v !== "boolean") fault(where, `is ${JSON.stringify(v)}, want true or false`);
      return;
    case "json":
      return;
    case "tag":
      if (typeof v !== "object") fault(where, "want a tag");
      return;
    case "array":
      if (!Array.isArray(v)) return fault(where, `is ${JSON.stringify(v)}, want a list`);
      return v.forEach((e, i) => check(`${where}[${i}]`, e, type.element));
    case "map":
      if (typeof v !== "object" || Array.isArray(v)) return fault(where, "want a map");
      return Object.entries(v).forEach(([k, e]) => check(`${where}.${k}`, e, type.element));
    case "ref":
      if (typeof v !== "object" || Array.isArray(v)) return fault(where, "want an object");
      return object(where, v, db.get("typeDefinition", type.reference.$ref).properties);
    case "union": {
      const before = faults, log = console.log;
      let fits = false;
      console.log = () => {};
      for (const t of type.types) {
        faults = before;
        one(where, v, t);
        fits ||= faults === before;
      }
      console.log = log;
      faults = before;
      if (!fits) fault(where, `${JSON.stringify(v)} fits none of its types`);
      return;
    }
    default:
      fault(where, `is of the unknown type ${type.type}`);
  }
}

function attributes(where, v) {
  if (v === null || typeof v !== "object") return;
  for (const [key, value] of Object.entries(v)) {
    if (key === "Fn::GetAtt") {
      const [name, attr] = Array.isArray(value) ? value : value.split(/\.(.*)/);
      attribute(where, name, attr);
    } else if (key === "Fn::Sub") {
      const text = Array.isArray(value) ? value[0] : value;
      for (const m of text.matchAll(/\$\{([A-Za-z0-9]+)\.([A-Za-z0-9.]+)\}/g)) attribute(where, m[1], m[2]);
    }
    attributes(where === "template" ? key : where, value);
  }
}

function attribute(where, name, attr) {
  const r = template.Resources[name];
  if (!r) return fault(where, `GetAtt of ${name}, which is not there`);
  if (sam(r.Type)) return void (attr === "Arn" || fault(where, `GetAtt ${name}.${attr}`));
  const s = specs[name];
  if (s && !(attr in s.attributes) && !(attr in s.properties)) fault(where, `${r.Type} has no attribute ${attr}`);
}
