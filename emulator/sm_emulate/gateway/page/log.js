// The lines that containers write, as they come: the last few thousand of them.

const MOST = 4000;
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

// A line as a terminal would leave it: no colours, and only what the last carriage return left.
export function plain(line) {
  const text = line.replace(ESCAPES, "").replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1).replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "�");
}

export class Log {
  constructor(box, { host, filter, follow }) {
    Object.assign(this, { box, host, filter, follow });
    this.lines = [];
    this.hosts = new Set();
    this.waiting = false;
    host.addEventListener("change", () => this.#redraw());
    filter.addEventListener("input", () => this.#redraw());
    follow.addEventListener("change", () => this.#scroll());
    // who scrolls up wants to read; who comes back to the end wants more
    box.addEventListener("scroll", () => {
      follow.checked = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
    });
  }

  add(host, text, lost) {
    if (!this.hosts.has(host)) {
      this.hosts.add(host);
      this.host.add(new Option(host, host));
    }
    const came = lost ? [{ host, text: `${lost} bytes are left out: they came too fast, or long ago`, lost: true }] : [];
    if (text) for (const line of text.replace(/\n$/, "").split("\n")) came.push({ host, text: plain(line), lost: false });
    this.lines.push(...came);
    if (this.lines.length > MOST) this.lines.splice(0, this.lines.length - MOST);
    this.box.append(...came.filter((line) => this.#shows(line)).map((line) => this.#row(line)));
    while (this.box.childElementCount > MOST) this.box.firstElementChild.remove();
    this.#scroll();
  }

  #shows(line) {
    const words = this.filter.value.toLowerCase();
    return (!this.host.value || line.host === this.host.value) && (!words || line.text.toLowerCase().includes(words));
  }

  #row(line) {
    const row = document.createElement("div");
    if (line.lost) row.className = "lost";
    if (this.hosts.size > 1) {
      const mark = row.appendChild(document.createElement("i"));
      mark.textContent = `${line.host} `;
    }
    row.append(line.text || " ");
    return row;
  }

  #redraw() {
    this.box.replaceChildren(...this.lines.filter((line) => this.#shows(line)).map((line) => this.#row(line)));
    this.follow.checked = true;
    this.#scroll();
  }

  #scroll() {
    if (!this.follow.checked || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.box.scrollTop = this.box.scrollHeight;
    });
  }
}
