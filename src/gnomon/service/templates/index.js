"use strict";
const REFRESH_MS = 2000;
const MOST_VALUES = 50;
const $ = (selector, within = document) => within.querySelector(selector);
const model = $(".mark span").textContent;

const count = (value) => value.toLocaleString("en");
const rows = (value) => `${count(value)} ${value === 1 ? "row" : "rows"}`;
const version = (tag) => tag.slice(tag.indexOf(":") + 1);
const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : count(Math.round(value))} ms`;

function share(part, whole) {
  if (!whole) return "–";
  const percent = (100 * part) / whole;
  if (part && percent < 0.01) return "< 0.01%";
  return `${percent.toFixed(percent >= 99.995 || percent === 0 ? 0 : percent < 10 ? 2 : 1)}%`;
}

function since(time) {
  const seconds = Math.max(0, (Date.now() - new Date(time)) / 1000);
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

const utc = (time) => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;

function setText(element, text) {
  element.replaceChildren(...text.split("`").map((part, place, parts) => {
    // What is between two backticks is code; a last one without a partner is text.
    if (place % 2 === 0) return part;
    if (place === parts.length - 1) return `\`${part}`;
    const code = document.createElement("code");
    code.textContent = part;
    return code;
  }));
}

function setState(element, kind, text) {
  const sign = { good: "●", wait: "◐", bad: "▲" }[kind];
  element.className = `state ${kind}`;
  element.textContent = `${sign} ${text}`;
}

function finding(status) {
  const { live, shadows, epoch } = status;
  if (!live) return epoch ? `${model} is not serving yet` : `${model} has no live artifact yet`;
  const compared = shadows.filter((shadow) => shadow.compared);
  if (shadows.length === 1 && compared.length === 1) {
    const { disagreed, compared: of } = shadows[0];
    return `${version(live.artifact)} answers; its shadow disagrees on ${share(disagreed, of)} of ${rows(of)}`;
  }
  if (shadows.length) return `${version(live.artifact)} answers, with ${shadows.length} in its shadow`;
  return `${version(live.artifact)} answers`;
}

function lede(status) {
  const { live, previous, error, automation } = status;
  const parts = [];
  if (live) {
    if (live.since) parts.push(`live for ${since(live.since)}`);
    if (live.latency_ms) parts.push(`time per batch: p50 ${milliseconds(live.latency_ms.p50)}, p99 ${milliseconds(live.latency_ms.p99)}`);
    if (live.digest) parts.push(`manifest ${live.digest.slice(0, 12)}`);
    parts.push(previous ? `a rollback returns to ${version(previous)}` : "nothing to roll back to");
  }
  if (automation) {
    const { mode, watch, says } = automation;
    if (mode !== "advise") parts.push(`mode ${mode}`);
    if (watch) parts.push(`watched until ${utc(watch.until)}: rolled back if ${watch.rolls_back_if.join(", or ")}`);
    if (says) parts.push(says);
  }
  if (error) parts.push(error);
  else if (!live && epoch) parts.push("its live artifact is being loaded");
  else if (!live) parts.push(`the newest artifact named ${model} in the store becomes live automatically`);
  return parts.join(" · ");
}

function drawShadow(shadow, live) {
  const card = $("#shadow").content.firstElementChild.cloneNode(true);
  const { scored, failed, lagging, eligible, compared, decided, latency_ms: took } = shadow;
  const seen = shadow.fraction === 1 ? "sees every request" : `sees ${Number((100 * shadow.fraction).toPrecision(3))}% of requests`;
  const itself = live && live.artifact === shadow.artifact && "is live itself (A/A): its differences are noise";
  const text = {
    artifact: shadow.artifact,
    sample: [seen, itself, shadow.reverse && "was live before (reverse shadow)", shadow.since && `for ${since(shadow.since)}`].filter(Boolean).join(", "),
    disagreement: share(shadow.disagreed, compared),
    compared: compared ? `${count(shadow.disagreed)} of ${rows(compared)}` : scored ? "nothing compared with this live artifact yet" : "nothing compared yet",
    flips: share(shadow.flipped, decided),
    flipped: decided ? rows(shadow.flipped) : "",
    p50: took ? milliseconds(took.p50) : "–",
    p99: took && live && live.latency_ms ? `live takes ${milliseconds(live.latency_ms.p50)}` : "",
    lagging: count(lagging),
    scored: `${share(scored, eligible)} scored`,
    failed: failed ? `${rows(failed)} failed` : "none failed",
    waiting: `${rows(eligible)} eligible`,
  };
  for (const [name, value] of Object.entries(text)) $(`[data-text=${name}]`, card).textContent = value;
  const kind = { running: "good", starting: "wait" }[shadow.state] || "bad";
  setState($("[data-text=state]", card), kind, shadow.state);
  const gates = (shadow.open_gates || []).map((gate) => {
    const line = document.createElement("li");
    setText(line, `${gate.gate}: ${gate.says}`);
    return line;
  });
  $(".gates", card).hidden = !gates.length;
  $(".gates ul", card).replaceChildren(...gates);
  const error = $("[data-text=error]", card);
  error.hidden = !shadow.error;
  setText(error, shadow.error || "");
  for (const part of ["scored", "failed", "lagging"]) $(`.meter .${part}`, card).style.flexGrow = shadow[part];
  $(".meter", card).setAttribute("aria-label", `${text.scored}, ${text.failed}, ${rows(lagging)} behind`);
  return card;
}

function noiseFloor(floor) {
  const { disagreed, compared, fraction, state, error } = floor;
  const twice = `live scores ${Number((100 * fraction).toPrecision(3))}% of requests twice`;
  const found = compared ? `it disagrees with itself on ${share(disagreed, compared)} of ${rows(compared)}` : "nothing compared yet";
  return `Noise floor: ${twice}, and ${found}${error ? `; ${error}` : state === "running" ? "" : `; ${state}`}.`;
}

const first = JSON.parse($("#status").textContent);
const shown = first.live && first.live.artifact;
let before = null;
function draw(status) {
  const now = performance.now();
  if (status.ready) setState($("#state"), "good", "Ready");
  else setState($("#state"), status.error ? "bad" : "wait", status.error ? "Not ready" : "Getting ready");
  $("#finding").textContent = finding(status);
  setText($("#lede"), lede(status));
  document.title = `${model}: ${finding(status)}`;
  for (const figure of $("#books").querySelectorAll("[data-figure]")) {
    figure.textContent = count(status.books[figure.dataset.figure]);
  }
  $("#received").textContent = `${count(status.books.received)} received`;
  if (before) {
    const rate = ((status.books.answered - before.answered) * 1000) / (now - before.at);
    $("#rate").textContent = rate < 0 ? "" : `${count(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate))} per second`;
  }
  before = { at: now, answered: status.books.answered };
  $("#shadows").replaceChildren(...status.shadows.map((shadow) => drawShadow(shadow, status.live)));
  $("#noise-floor").hidden = !status.noise_floor;
  setText($("#noise-floor"), status.noise_floor ? noiseFloor(status.noise_floor) : "");
  $("#no-shadow").hidden = status.shadows.length > 0;
  $("#epoch").textContent = status.epoch;
}

async function refresh() {
  if (document.hidden) return;
  try {
    const response = await fetch("/status.json", { cache: "no-store" });
    if (!response.ok) throw new Error(response.status);
    const status = await response.json();
    const artifact = status.live && status.live.artifact;
    if (artifact !== shown) location.reload();
    draw(status);
    $("#freshness").textContent = "up to date";
  } catch {
    setState($("#state"), "bad", "The server does not respond");
    $("#freshness").textContent = "the figures are out of date";
  }
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function bars(probabilities) {
  const drawn = element("div", "", "bars");
  for (const [label, value] of Object.entries(probabilities)) {
    const bar = element("i", "");
    bar.style.backgroundSize = `${100 * value}% 100%`;
    drawn.append(element("code", label), bar, element("span", value.toFixed(4)));
  }
  return drawn;
}

function listed(values) {
  const drawn = element("div", "", "bars");
  for (const [name, value] of Object.entries(values).slice(0, MOST_VALUES)) {
    drawn.append(element("code", name), element("span", ""), element("span", String(value)));
  }
  return drawn;
}

function problem({ message, where, hint }) {
  const parts = [element("p", message, "error")];
  if (where) parts.push(element("p", `at ${where}`));
  if (hint) parts.push(element("p", hint, "note"));
  return parts;
}

function one(row) {
  if (row.error) return problem(row.error);
  const parts = [];
  if ("prediction" in row) parts.push(element("p", String(row.prediction), "value"));
  if (row.probabilities) parts.push(bars(row.probabilities));
  if ("score" in row) parts.push(element("p", `score ${row.score}`, "note"));
  for (const named of [row.scores, row.values]) if (named) parts.push(listed(named));
  for (const [target, answer] of Object.entries(row.targets || {})) {
    parts.push(element("p", target, "label"), ...one(answer));
  }
  return parts;
}

async function predict(event) {
  event.preventDefault();
  const output = $("#answer");
  const button = $("button", event.target);
  const token = $("#token").value;
  button.disabled = true;
  const started = performance.now();
  try {
    const response = await fetch("/predict", {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: $("#row").value,
    });
    const took = performance.now() - started;
    const answer = await response.json();
    if (response.status === 401) $("#token-field").hidden = false;
    const drawn = (answer.rows || [answer]).slice(0, 20).flatMap(one);
    const name = answer.request_id || (answer.error && answer.error.request_id);
    const facts = [`HTTP ${response.status} in ${milliseconds(took)}`, answer.artifact, name && `request ${name}`];
    output.replaceChildren(...drawn, element("p", facts.filter(Boolean).join(" · "), "note"));
  } catch (error) {
    output.replaceChildren(element("p", `No answer: ${error.message}`, "error"));
  }
  button.disabled = false;
}

if ($("#try")) {
  $("#try").addEventListener("submit", predict);
  $("#curl").textContent = $("#curl").textContent.replace("http://127.0.0.1:3000", location.origin);
  $("#copy").hidden = !navigator.clipboard;
  $("#copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText($("#curl").textContent);
    $("#copy").textContent = "Copied";
  });
}
draw(first);
setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", refresh);
