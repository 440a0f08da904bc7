// A plot of values over time, as SVG: a few lines, a dot for each value where there are few, rings for the bad ones.

const SVG = "http://www.w3.org/2000/svg";
const KEPT = 1800;
const LEFT = 46;
const FOOT = 18;
const TOP = 8;

// The name of a series that is drawn in red; no variant can have it.
export const ERRORS = "4XX and 5XX";

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

// By name, errors last: the colours of the others stay when the first error comes.
function order(name) {
  return name === ERRORS ? "\uffff" : name;
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

export function short(value) {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

export class Plot {
  // unit: " ms"; gap: seconds without a value after which a line is broken; least: the lowest top of the scale.
  constructor(figure, { unit, gap, least = 1 }) {
    this.unit = unit;
    this.gap = gap;
    this.least = least;
    this.name = figure.querySelector("b").textContent;
    this.now = figure.querySelector(".now");
    this.svg = element("svg", { class: "plot", role: "img", "aria-label": this.name }, figure);
    this.legend = figure.appendChild(document.createElement("ul"));
    this.legend.className = "legend";
    this.series = new Map();
    this.pointer = null;
    this.svg.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.#point(null));
  }

  add(series, at, value, bad = false) {
    if (!this.series.has(series)) this.series.set(series, []);
    const points = this.series.get(series);
    points.push({ at, value, bad });
    if (points.length > 1 && points.at(-2).at > at) points.sort((a, b) => a.at - b.at);
  }

  forget() {
    this.series.clear();
  }

  // Draw the last `span` seconds before `now`; `label` names a series, or gives nothing for one that is not drawn.
  draw(now, span, label = (name) => name) {
    this.last = [now, span, label];
    const width = this.svg.clientWidth || 600;
    const height = this.svg.clientHeight || 144;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const from = now - span;
    const series = [];
    for (const [name, points] of [...this.series].sort(([one], [other]) => order(one).localeCompare(order(other)))) {
      while (points.length && points[0].at < now - KEPT) points.shift();
      if (label(name)) series.push([label(name), points.filter((point) => point.at >= from - this.gap)]);
    }
    const top = nice(Math.max(this.least, ...series.flatMap(([, points]) => points.map((point) => point.value))));
    const x = (at) => LEFT + ((at - from) / span) * (width - LEFT - 6);
    const y = (value) => TOP + (1 - value / top) * (height - TOP - FOOT);
    this.svg.replaceChildren();
    for (const part of [0, 0.5, 1]) {
      const at = y(top * part);
      element("line", { class: "grid", x1: LEFT, x2: width, y1: at, y2: at }, this.svg);
      const label = element("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, this.svg);
      label.textContent = short(top * part) + (part === 1 ? this.unit : "");
    }
    for (const part of [0, 0.5, 1]) {
      const anchor = ["start", "middle", "end"][part * 2];
      const label = element("text", { x: x(from + span * part), y: height - 2, "text-anchor": anchor }, this.svg);
      const ago = span * (1 - part);
      label.textContent = part === 1 ? "now" : ago >= 60 ? `−${short(ago / 60)} min` : `−${ago} s`;
    }
    series.forEach(([name, points], number) => this.#line(name, points, number, x, y, from));
    this.#tell(series, from, now, x, height);
  }

  #colour(name, number) {
    return name === ERRORS ? "cbad" : `c${number % 6}`;
  }

  #line(name, points, number, x, y, from) {
    const group = element("g", { class: this.#colour(name, number), "data-series": name }, this.svg);
    let path = "";
    let before = null;
    for (const point of points) {
      if (point.at < from) continue;
      const far = before === null || point.at - before.at > this.gap;
      path += `${far ? "M" : "L"}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`;
      before = point;
    }
    if (path) element("path", { d: path }, group);
    const few = points.length <= 150;
    for (const point of points) {
      if (point.at < from || !(few || point.bad)) continue;
      const where = { cx: x(point.at).toFixed(1), cy: y(point.value).toFixed(1) };
      element("circle", { ...where, r: point.bad ? 3.4 : 1.9, ...(point.bad && { class: "bad" }) }, group);
    }
  }

  #tell(series, from, now, x, height) {
    let at = now;
    if (this.pointer !== null) {
      const width = this.svg.clientWidth || 600;
      at = from + ((this.pointer - LEFT) / (width - LEFT - 6)) * (now - from);
      element("line", { class: "cursor", x1: x(at), x2: x(at), y1: TOP, y2: height - FOOT }, this.svg);
    }
    const said = [];
    const summary = [];
    const items = [];
    series.forEach(([name, points], number) => {
      const near = points.filter((point) => point.at >= from && point.at <= at + 0.5).at(-1);
      const inside = points.filter((point) => point.at >= from);
      if (near) said.push((series.length > 1 ? `${name} ` : "") + short(near.value) + this.unit + (near.bad ? " (bad)" : ""));
      if (inside.length) {
        const bad = inside.filter((point) => point.bad).length;
        summary.push(`${name}: last ${short(inside.at(-1).value)}${this.unit}, highest ` +
          `${short(Math.max(...inside.map((point) => point.value)))}${this.unit}, ${inside.length} values` +
          (bad ? `, ${bad} of them bad` : ""));
      }
      if (series.length > 1) {
        const item = document.createElement("li");
        item.className = this.#colour(name, number);
        item.textContent = name;
        items.push(item);
      }
    });
    const clock = this.pointer === null ? "" : ` at ${new Date(at * 1000).toLocaleTimeString()}`;
    this.now.textContent = said.length ? said.join(", ") + clock : "nothing yet";
    this.svg.setAttribute("aria-label", `${this.name}. ${summary.join("; ") || "Nothing yet"}.`);
    if (this.legend.childElementCount !== items.length || [...this.legend.children].some((old, number) => old.textContent !== items[number].textContent)) {
      this.legend.replaceChildren(...items);
    }
  }

  #point(where) {
    this.pointer = where === null || where < LEFT ? null : where;
    if (this.last) this.draw(...this.last);
  }
}
