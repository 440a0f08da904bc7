// The page of one endpoint. What it shows comes as server-sent events from /-/events and as JSON from /-/endpoints.

import { Log } from "./log.js";
import { ERRORS, Plot, short } from "./plot.js";
import { connectForm } from "./send.js";

const $ = (id) => document.getElementById(id);
const NEIGHBOURS_MS = 5000;
const HAPPENED = 200;
const MS = 1000;
const SILENT = "no answer";

const pings = new Plot($("pings"), { unit: " ms", gap: 90 });
const latency = new Plot($("latency"), { unit: " ms", gap: 5 });
const rate = new Plot($("rate"), { unit: "", gap: 2 });
const log = new Log($("log"), { host: $("host"), filter: $("filter"), follow: $("follow") });

let endpoint = null;
let stream = null;
let position = "";
let ahead = 0; // the clock of the gateway's machine less ours, in seconds
let rates = new Map();

const now = () => Date.now() / MS + ahead;

function choose(select, names, first) {
  const wanted = [...first, ...names.map((name) => [name, name])];
  if ([...select.options].map((option) => option.value).join() === wanted.map(([value]) => value).join()) return;
  const chosen = select.value;
  select.replaceChildren(...wanted.map(([value, label]) => new Option(label, value)));
  if (wanted.some(([value]) => value === chosen)) select.value = chosen;
}

function ms(micro) {
  return micro === undefined ? "" : `${short(micro / MS)} ms`;
}

function showStatus(words) {
  const kind = { InService: "good", Failed: "bad", OutOfService: "warn", Deleting: "warn", [SILENT]: "bad" }[words] ?? "warn";
  $("status").className = `status ${kind}`;
  if ($("status").textContent !== words) $("status").textContent = words;
}

function showEndpoint(described) {
  endpoint = described;
  const emulator = described.Emulator;
  document.title = `${described.EndpointName} · ${described.EndpointStatus}`;
  $("name").textContent = described.EndpointName;
  showStatus(described.EndpointStatus);
  $("url").textContent = emulator.Url;
  $("image").textContent = emulator.Image;
  $("since").textContent = `since ${new Date(described.CreationTime).toLocaleString()}`;
  $("reason").hidden = !described.FailureReason;
  $("reason").textContent = described.FailureReason ?? "";
  const shadows = described.ShadowProductionVariants ?? [];
  const all = [...(described.ProductionVariants ?? []), ...shadows];
  $("variants").replaceChildren(...all.map((variant) => variantRow(variant, shadows.includes(variant), emulator.Metrics ?? {})));
  const names = all.map((variant) => variant.VariantName);
  choose($("variant"), names, []);
  $("variant-choice").hidden = names.length < 2;
  const production = names.slice(0, names.length - shadows.length);
  choose($("send").elements.target_variant, production, [["", "by weight"]]);
  $("target-variant").hidden = production.length < 2;
  const models = emulator.Models;
  $("target-model").hidden = $("models").hidden = !models;
  if (models) {
    $("loaded").replaceChildren(...models.Loaded.map((name) => new Option(name, name)));
    $("models").textContent = `${models.Loaded.length} models loaded: ${models.Loaded.join(", ") || "none"}. ` +
      `${models.Loads} loads, ${models.Unloads} unloads, ${models.Evictions} evictions.`;
  }
  fitOperations(described.AsyncInferenceConfig !== undefined);
}

function variantRow(variant, shadow, metrics) {
  const row = document.createElement("tr");
  const head = row.appendChild(document.createElement("th"));
  head.scope = "row";
  head.textContent = variant.VariantName + (shadow ? " (shadow)" : "");
  const seen = metrics[variant.VariantName] ?? {};
  for (const value of [
    (variant.DeployedImages ?? []).map((image) => image.SpecifiedImage).join(", "),
    `${variant.CurrentInstanceCount} of ${variant.DesiredInstanceCount}`,
    variant.CurrentWeight,
    seen.Invocations ?? 0,
    seen.Invocation4XXErrors ?? 0,
    seen.Invocation5XXErrors ?? 0,
    ms(seen.ModelLatency?.p50),
    ms(seen.ModelLatency?.p99),
    ms(seen.OverheadLatency?.p50),
  ]) row.insertCell().textContent = value;
  return row;
}

function fitOperations(asynchronous) {
  const { operation } = $("send").elements;
  for (const option of operation.options) option.disabled = (option.value === "async") !== asynchronous;
  if (operation.selectedOptions[0].disabled) operation.value = asynchronous ? "async" : "invoke";
  fit();
}

function showEvent(event) {
  const at = Date.parse(event.at) / MS;
  if (event.event === "Pinged") {
    pings.add(event.host || "ping", at, event.seconds * MS, event.status !== 200);
    return;
  }
  const words = {
    StatusChanged: () => `${event.status}${event.message ? ` - ${event.message}` : ""}`,
    Warned: () => event.message,
    Noted: () => event.message,
    ContainerStarted: () => `${event.host} started`,
    ContainerExited: () => `${event.host} exited with code ${event.code}${event.oom_killed ? ", out of memory" : ""}`,
    ModelLoaded: () => `${event.target_model} loaded in ${short(event.seconds)} s`,
    ModelUnloaded: () => `${event.target_model} unloaded: ${event.reason}`,
  }[event.event];
  if (words === undefined) return;
  const line = document.createElement("li");
  if (event.event === "Warned") line.className = "warn";
  const time = line.appendChild(document.createElement("time"));
  time.dateTime = event.at;
  time.textContent = new Date(event.at).toLocaleTimeString();
  line.append(words());
  $("happened").prepend(line);
  while ($("happened").childElementCount > HAPPENED) $("happened").lastElementChild.remove();
}

function showInvocations(told) {
  const { At: at, Variant: variant } = told;
  for (const [name, value] of [
    ["model p50", told.ModelLatency.p50],
    ["model p99", told.ModelLatency.p99],
    ["overhead p50", told.OverheadLatency.p50],
  ]) latency.add(`${variant} ${name}`, at, value / MS);
  note(variant, at, told.Invocations);
  const errors = told.Invocation4XXErrors + told.Invocation5XXErrors;
  if (errors || rates.has(ERRORS)) note(ERRORS, at, errors);
}

// Seconds without invocations count, too: a rate goes back to nothing.
function note(name, at, count) {
  const before = rates.get(name);
  if (before === undefined || at - before > 1) {
    if (before !== undefined) rate.add(name, before + 1, 0);
    rate.add(name, at - 1, 0);
  }
  rate.add(name, at, count);
  rates.set(name, at);
}

function draw() {
  const span = Number($("window").value);
  const at = now();
  for (const [name, last] of rates) {
    if (at - last > 3) {
      rate.add(name, last + 1, 0);
      rates.delete(name);
    }
  }
  pings.draw(at, span);
  const chosen = `${$("variant").value || endpoint?.ProductionVariants?.[0]?.VariantName} `;
  latency.draw(at, span, (name) => (name.startsWith(chosen) ? name.slice(chosen.length) : ""));
  rate.draw(at, span);
}

function follow() {
  stream = new EventSource(`/-/events${position ? `?since=${encodeURIComponent(position)}` : ""}`);
  const on = (kind, act) => stream.addEventListener(kind, (message) => {
    if (message.lastEventId) position = message.lastEventId;
    act(JSON.parse(message.data));
  });
  on("endpoint", showEndpoint);
  on("event", showEvent);
  on("invocations", showInvocations);
  on("log", (told) => log.add(told.Host, told.Text, told.Lost));
  on("lost", (told) => showEvent({ event: "Warned", at: new Date().toISOString(), message: `${told.Bytes} bytes of events are left out: they came too fast, or long ago` }));
  on("tick", (told) => {
    ahead = told.At - Date.now() / MS;
    requestAnimationFrame(draw);
  });
  stream.onopen = () => endpoint && showStatus(endpoint.EndpointStatus);
  stream.onerror = () => {
    if (endpoint?.EndpointStatus === "InService") showStatus(SILENT);
    if (stream.readyState === EventSource.CLOSED) setTimeout(refollow, NEIGHBOURS_MS);
  };
}

function refollow() {
  if (document.hidden || stream?.readyState !== EventSource.CLOSED) return;
  follow();
}

async function showNeighbours() {
  if (document.hidden) return;
  try {
    const listed = await (await fetch("/-/endpoints")).json();
    $("endpoints").replaceChildren(...listed.map((each) => {
      const item = document.createElement("li");
      const link = item.appendChild(document.createElement(each.Page && !each.This ? "a" : "span"));
      if (each.This) link.setAttribute("aria-current", "page");
      else if (each.Page) link.href = each.Page;
      const status = document.createElement("small");
      status.textContent = ` ${each.EndpointStatus}`;
      link.append(each.EndpointName, status);
      return item;
    }));
  } catch {
    // the next time, perhaps
  }
}

const fit = connectForm($("send"), () => endpoint?.EndpointName ?? "");
follow();
showNeighbours();
setInterval(showNeighbours, NEIGHBOURS_MS);
for (const id of ["window", "variant"]) $(id).addEventListener("change", draw);
new ResizeObserver(() => draw()).observe($("rate"));
// a browser opens few connections to one address: a page that nobody sees gives its own back
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream.close();
  } else {
    follow();
    showNeighbours();
  }
});
