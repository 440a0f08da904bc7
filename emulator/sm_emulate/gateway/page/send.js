// The form: one invocation, and its answer as it comes.

import { Frames } from "./frames.js";

const AMZN = "X-Amzn-SageMaker-";
const HEADERS = {
  target_variant: `${AMZN}Target-Variant`,
  target_model: `${AMZN}Target-Model`,
  target_container: `${AMZN}Target-Container-Hostname`,
  inference_component: `${AMZN}Inference-Component`,
  custom_attributes: `${AMZN}Custom-Attributes`,
  session_id: `${AMZN}Session-Id`,
  inference_id: `${AMZN}Inference-Id`,
};
const PATHS = { invoke: "invocations", stream: "invocations-response-stream", async: "async-invocations" };
const SHOWN = 1024 * 1024;
const HEX = 4096;

const $ = (id) => document.getElementById(id);

function request(form, name) {
  const given = (key) => form.elements[key].value.trim();
  const operation = given("operation");
  const headers = {};
  // each operation has its own names for the two
  const type = { invoke: "Content-Type", openai: "Content-Type", stream: "Content-Type", async: `${AMZN}Content-Type` };
  const accept = { invoke: "Accept", openai: "Accept", stream: `${AMZN}Accept`, async: `${AMZN}Accept` };
  if (given("type")) headers[type[operation]] = given("type");
  if (given("accept")) headers[accept[operation]] = given("accept");
  for (const [field, header] of Object.entries(HEADERS)) if (given(field)) headers[header] = given(field);
  if (operation === "async" && given("input_location")) headers[`${AMZN}InputLocation`] = given("input_location");
  const path = operation === "openai" ? `openai/v1/${given("path").replace(/^\/+/, "")}` : PATHS[operation];
  const file = form.elements.file.files[0];
  // bytes without a type, so that the browser adds none to what the form says
  const body = file?.slice(0, file.size, "") ?? new TextEncoder().encode(form.elements.text.value);
  return { url: `/endpoints/${encodeURIComponent(name)}/${path}`, events: operation === "stream", headers, body };
}

class Answer {
  constructor() {
    this.box = $("body");
    this.parts = [];
    this.size = 0;
    this.count = 0;
    this.shown = 0;
    this.text = new TextDecoder("utf-8", { fatal: true });
    this.binary = false;
    this.box.replaceChildren();
    $("save").hidden = true;
    URL.revokeObjectURL($("save").href);
    $("headers").tBodies[0].replaceChildren();
    $("outcome").replaceChildren("waiting…");
    $("answer").hidden = false;
  }

  head(response) {
    this.type = response.headers.get("Content-Type") ?? "";
    for (const [name, value] of response.headers) {
      const row = $("headers").tBodies[0].insertRow();
      const cell = row.appendChild(document.createElement("th"));
      cell.scope = "row";
      cell.textContent = name;
      row.insertCell().textContent = value;
    }
    // of an asynchronous endpoint they are the answer: they say where the output will be
    if (response.status === 202) $("headers").closest("details").open = true;
  }

  take(bytes) {
    this.parts.push(bytes);
    this.size += bytes.length;
    this.count += 1;
    if (this.binary || this.shown > SHOWN) return;
    try {
      this.box.append(this.text.decode(bytes, { stream: true }));
      this.shown += bytes.length;
    } catch {
      this.binary = true;
    }
  }

  fail(words) {
    const line = this.box.appendChild(document.createElement("div"));
    line.className = "error";
    line.textContent = words;
  }

  end(streamed) {
    const blob = new Blob(this.parts, { type: this.type.startsWith("image/") ? this.type : "application/octet-stream" });
    if (this.size) {
      $("save").href = URL.createObjectURL(blob);
      $("save").hidden = false;
    }
    if (this.type.startsWith("image/")) {
      const image = document.createElement("img");
      image.src = $("save").href;
      image.alt = `The answer, ${this.type}, ${this.size} bytes`;
      this.box.replaceChildren(image);
    } else if (this.binary) {
      this.box.textContent = hex(joined(this.parts).subarray(0, HEX)) + (this.size > HEX ? "\n…" : "");
    } else if (this.shown > SHOWN) {
      this.box.append("\n… the rest is in the saved body");
    } else if (!streamed && /json/.test(this.type)) {
      try {
        this.box.textContent = JSON.stringify(JSON.parse(this.box.textContent), null, 2);
      } catch {
        // shown as it is
      }
    }
  }
}

function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function hex(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const codes = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${codes.padEnd(47)}  ${letters}`);
  }
  return lines.join("\n");
}

function outcome(words, good, rest) {
  const head = document.createElement("b");
  head.className = good ? "good" : "bad";
  head.textContent = words;
  $("outcome").replaceChildren(head, rest ? ` · ${rest}` : "");
}

async function send(form, name, signal) {
  const { url, headers, body, events } = request(form, name);
  const answer = new Answer();
  const began = performance.now();
  const since = () => `${(performance.now() - began).toFixed(1)} ms`;
  let status = "";
  let good = false;
  try {
    const response = await fetch(url, { method: "POST", headers, body, signal });
    const first = since();
    status = `${response.status} ${response.statusText}`;
    good = response.ok;
    outcome(status, good, `headers after ${first}`);
    answer.head(response);
    const frames = events && response.ok ? new Frames() : null;
    const reader = response.body?.getReader();
    for (let read = await reader?.read(); read && !read.done; read = await reader.read()) {
      for (const part of frames ? frames.feed(read.value) : [{ payload: read.value, headers: {} }]) {
        if (part.headers[":message-type"] === "exception") {
          good = false;
          answer.fail(`${part.headers[":exception-type"]}: ${new TextDecoder().decode(part.payload)}`);
        } else answer.take(part.payload);
      }
      outcome(status, good, `headers after ${first}, ${answer.count} parts so far`);
    }
    if (frames?.rest) throw new Error("the stream broke off within a frame");
    const parts = answer.count > 1 ? ` in ${answer.count} parts` : "";
    outcome(status, good, `${answer.size} bytes${parts} after ${since()}, headers after ${first}`);
  } catch (error) {
    const words = error.name === "AbortError" ? "stopped" : String(error.message ?? error);
    outcome(status || "no answer", false, `${words} after ${since()}`);
  }
  answer.end(events);
}

// Have the form work; `name` gives the endpoint's name.
export function connectForm(form, name) {
  const { operation, file, text } = form.elements;
  const fit = () => {
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== operation.value;
  };
  operation.addEventListener("change", fit);
  file.addEventListener("change", () => {
    text.disabled = file.files.length > 0;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const control = new AbortController();
    $("stop").onclick = () => control.abort();
    $("go").disabled = true;
    $("stop").hidden = false;
    try {
      await send(form, name(), control.signal);
    } finally {
      $("go").disabled = false;
      $("stop").hidden = true;
    }
  });
  return fit;
}
