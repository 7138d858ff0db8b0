const PRINTED_ROWS = 60;
const MARGIN_ROWS = 12; // drawn above and below what is seen
const KEPT_END = 20; // characters of a path that are always shown
const HOW = {
  own: "own: measured alone",
  fused: "fused: an estimate, its share of the kernel’s time",
  inexact: "inexact: an estimate, among quantised nodes",
  folded: "folded: computed before the model runs",
  eliminated: "eliminated: the runtime leaves it out",
};
const TEXT_COLUMNS = new Set(["path", "operator", "category", "how", "kernel"]);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const percent = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)}%` : "");

function debounced(call, wait) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(call, wait); };
}

/** A row of the data as an object, with what sorting and filtering need. */
function expand(data, row, order) {
  const node = { order };
  data.fields.forEach((field, place) => { node[field] = row[place]; });
  node.operator = data.operators[node.operator];
  [node.category, node.categoryClass] = data.categories[node.category];
  node.how = node.how === null ? "" : data.hows[node.how];
  node.kernel = node.kernel === null ? "" : data.kernels[node.kernel];
  const found = node.findings.map((place) => data.findings[place]);
  node.codes = [...new Map(found.map((one) => [one.code, one.severity]))];
  const codes = found.map((one) => `${one.code} ${one.name}`);
  node.haystack = [node.path, node.operator, node.category, node.kernel, node.how, ...codes]
    .join("\n").toLowerCase();
  return node;
}

class Nodes {
  constructor(data) {
    this.data = data;
    this.section = document.getElementById(`m${data.number}-nodes`);
    this.scroll = this.section.querySelector(".scroll");
    this.table = this.section.querySelector("table");
    this.body = this.table.tBodies[0];
    this.details = this.section.querySelector(".details");
    this.chip = this.section.querySelector(".chip");
    this.status = this.section.querySelector(".shown");
    this.words = document.getElementById(`m${data.number}-words`);
    this.category = document.getElementById(`m${data.number}-category`);
    this.only = document.getElementById(`m${data.number}-only`);
    this.columns = [...this.table.tHead.rows[0].cells].map((cell) => cell.dataset.key);
    this.all = data.rows.map((row, order) => expand(data, row, order));
    this.shown = this.all;
    this.active = 0; // position in `shown` of the row that the keyboard is on
    this.chosen = null; // the node whose details are open
    this.subset = null; // { title, has } where a block or a finding was chosen
    this.key = data.totals.time === null ? "memory" : "time";
    this.descending = true;
    this.table.setAttribute("aria-colcount", this.columns.length);
    this.listen();
    this.update();
  }

  listen() {
    const soon = debounced(() => this.update(), 120);
    this.words.addEventListener("input", soon);
    this.category.addEventListener("change", () => this.update());
    this.only.addEventListener("change", () => this.update());
    this.chip.addEventListener("click", () => { this.choose(null); this.words.focus(); });
    this.table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th");
      if (head) this.sortBy(head.dataset.key);
    });
    let pending = false;
    this.scroll.addEventListener("scroll", () => {
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => { pending = false; this.draw(); });
    }, { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.scroll);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr.row");
      if (row) this.open(Number(row.dataset.position));
    });
    this.body.addEventListener("focusin", (event) => {
      const row = event.target.closest("tr.row");
      if (row) this.active = Number(row.dataset.position);
    });
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.details.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
  }

  sortBy(key) {
    this.descending = this.key === key ? !this.descending : !TEXT_COLUMNS.has(key) && key !== "order";
    this.key = key;
    this.update();
  }

  choose(subset) {
    this.subset = subset;
    this.chip.hidden = subset === null;
    this.chip.textContent = subset === null ? "" : subset.title;
    if (subset !== null) this.chip.setAttribute("aria-label", `Remove the filter: ${subset.title}`);
    for (const block of document.querySelectorAll(`.block[data-model="${this.data.number}"]`)) {
      const pressed = subset !== null && subset.block === Number(block.dataset.block);
      block.setAttribute("aria-pressed", pressed);
    }
    this.update();
  }

  update() {
    const words = this.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { value } = this.category;
    this.shown = this.all.filter((node) =>
      (!value || node.category === value)
      && (!this.only.checked || node.findings.length > 0)
      && (this.subset === null || this.subset.has(node))
      && words.every((word) => node.haystack.includes(word)));
    this.sort();
    this.active = 0;
    this.scroll.scrollTop = 0;
    this.tell();
    this.draw(true);
  }

  sort() {
    const { key } = this;
    const sign = this.descending ? -1 : 1;
    const value = key === "findings" ? (node) => node.findings.length : (node) => node[key];
    const isText = TEXT_COLUMNS.has(key);
    const collator = new Intl.Collator("en", { numeric: true });
    this.shown.sort((a, b) => {
      const left = value(a);
      const right = value(b);
      if (left === null || right === null) { // what is unknown is last, either way round
        return (left === null) - (right === null) || a.order - b.order;
      }
      const difference = isText ? collator.compare(left, right) : left - right;
      return sign * difference || a.order - b.order;
    });
    for (const head of this.table.tHead.rows[0].cells) {
      const state = head.dataset.key !== key ? "none" : this.descending ? "descending" : "ascending";
      head.setAttribute("aria-sort", state);
    }
  }

  tell(printed = 0) {
    const { shown, all, data } = this;
    const noun = all.length === 1 ? "node" : "nodes";
    let said = `${all.length.toLocaleString("en")} ${noun}`;
    if (shown.length < all.length) {
      said = `${shown.length.toLocaleString("en")} of ${said}`;
      const names = { time: "time", memory: "memory access", madds: "multiply-adds" };
      for (const [key, name] of Object.entries(names)) {
        const sum = shown.reduce((total, node) => total + (node[key] || 0), 0);
        const share = percent(sum, data.totals[key]);
        if (share) said += ` · ${share} of the ${name}`;
      }
    }
    if (printed && shown.length > printed) said += ` · the first ${printed} are printed`;
    this.status.textContent = said;
    this.table.setAttribute("aria-rowcount", shown.length + 1);
  }

  /** Draw the rows that are seen, and some around them; space stands for the others. */
  draw(force = false, printed = 0) {
    const height = this.rowHeight();
    const seen = Math.ceil(this.scroll.clientHeight / height) || 1;
    const top = Math.floor(this.scroll.scrollTop / height);
    const start = printed ? 0 : Math.max(0, top - MARGIN_ROWS);
    const end = Math.min(this.shown.length, printed || top + seen + MARGIN_ROWS);
    if (!force && start === this.start && end === this.end) return;
    const hadFocus = this.body.contains(document.activeElement);
    [this.start, this.end] = [start, end];
    const rows = document.createDocumentFragment();
    if (start > 0) rows.append(this.space(start * height));
    for (let position = start; position < end; position++) rows.append(this.row(position));
    if (end < this.shown.length && !printed) {
      rows.append(this.space((this.shown.length - end) * height));
    }
    if (this.shown.length === 0) rows.append(this.empty());
    this.body.replaceChildren(rows);
    const inside = this.active >= start && this.active < end;
    const reachable = this.rowAt(inside ? this.active : Math.min(top, end - 1));
    if (reachable) reachable.tabIndex = 0;
    if (hadFocus && inside) reachable.focus({ preventScroll: true });
  }

  rowHeight() {
    return parseFloat(getComputedStyle(this.table).getPropertyValue("--row"));
  }

  rowAt(position) {
    return this.body.querySelector(`tr.row[data-position="${position}"]`);
  }

  space(height) {
    const row = element("tr", "space");
    row.setAttribute("aria-hidden", "true");
    const cell = element("td");
    cell.colSpan = this.columns.length;
    cell.style.height = `${height}px`;
    row.append(cell);
    return row;
  }

  empty() {
    const row = element("tr", "empty");
    const cell = element("td", "", "No node fits the filter.");
    cell.colSpan = this.columns.length;
    row.append(cell);
    return row;
  }

  row(position) {
    const node = this.shown[position];
    const row = element("tr", "row");
    row.dataset.position = position;
    row.tabIndex = -1;
    row.setAttribute("aria-rowindex", position + 2);
    row.setAttribute("aria-selected", node === this.chosen);
    for (const key of this.columns) row.append(this.cell(node, key));
    return row;
  }

  cell(node, key) {
    const { totals } = this.data;
    switch (key) {
      case "order": return element("td", "num quiet", node.order);
      case "category": {
        const cell = element("td");
        cell.append(element("i", `swatch ${node.categoryClass}`), node.category);
        return cell;
      }
      case "memory": case "madds": case "time": {
        const cell = element("td", node[key] === null ? "num unknown" : "num", node[`${key}Text`]);
        const share = node[key] ? percent(node[key], totals[key]) : "";
        cell.append(element("small", "", share));
        return cell;
      }
      case "params": {
        return element("td", node.params === null ? "num unknown" : "num", node.paramsText);
      }
      case "spread": {
        return element("td", "num", node.spread === null ? "" : `${(100 * node.spread).toFixed(1)}%`);
      }
      case "findings": {
        const cell = element("td");
        for (const [code, severity] of node.codes) {
          cell.append(element("span", `tag tag-${severity}`, code));
        }
        return cell;
      }
      case "path": {
        // Cut in the middle where there is no room: a name's end says the most.
        const cell = element("td", "path");
        const cut = Math.max(0, node.path.length - KEPT_END);
        const whole = element("span");
        whole.append(element("b", "", node.path.slice(0, cut)));
        whole.append(element("i", "", node.path.slice(cut)));
        cell.append(whole);
        cell.title = node.path;
        return cell;
      }
      default: {
        const cell = element("td", "", node[key]);
        cell.title = node[key];
        return cell;
      }
    }
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / this.rowHeight()) - 2);
    const last = this.shown.length - 1;
    const steps = {
      ArrowDown: this.active + 1, ArrowUp: this.active - 1,
      PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: last,
    };
    if (event.key === "Enter" || event.key === " ") this.open(this.active);
    else if (event.key === "Escape") this.close();
    else if (event.key in steps) this.moveTo(Math.max(0, Math.min(last, steps[event.key])));
    else return;
    event.preventDefault();
  }

  moveTo(position) {
    this.active = position;
    const height = this.rowHeight();
    const head = this.table.tHead.offsetHeight;
    const { scrollTop, clientHeight } = this.scroll;
    const top = position * height;
    if (top < scrollTop) this.scroll.scrollTop = top;
    else if (top + height > scrollTop + clientHeight - head) {
      this.scroll.scrollTop = top + height + head - clientHeight;
    }
    this.draw(true);
    const row = this.rowAt(position);
    if (row) row.focus({ preventScroll: true });
  }

  /** Open the details of the row at `position`; where they are open, close them. */
  open(position) {
    const node = this.shown[position];
    this.active = position;
    if (!node || node === this.chosen) { this.close(); return; }
    this.chosen = node;
    this.fillDetails(node);
    this.draw(true);
  }

  close() {
    const hadFocus = this.details.contains(document.activeElement);
    this.chosen = null;
    this.details.hidden = true;
    this.draw(true);
    const row = this.rowAt(this.active);
    if (hadFocus && row) row.focus({ preventScroll: true });
  }

  fillDetails(node) {
    const { data } = this;
    const close = element("button", "close", "×");
    close.type = "button";
    close.setAttribute("aria-label", "Close the details");
    close.addEventListener("click", () => this.close());
    const facts = element("dl");
    const fact = (name, value) => {
      if (!value) return;
      const pair = element("div");
      pair.append(element("dt", "", name), element("dd", "", value));
      facts.append(pair);
    };
    const share = (key) => (node[key] === null ? "" : ` (${percent(node[key], data.totals[key]) || "–"})`);
    fact("operator", `${node.operator}, ${node.category}`);
    fact("memory access", node.memoryText + share("memory"));
    fact("multiply-adds", node.maddsText + share("madds"));
    fact("parameters", node.paramsText);
    if (node.time !== null) fact("time", node.timeText + share("time"));
    fact("how", HOW[node.how] || node.how);
    fact("kernel", node.kernel);
    fact("block", data.blocks[node.block]);
    if (node.unknown !== null) fact("unknown because", data.reasons[node.unknown]);
    this.details.replaceChildren(close, element("h3", "", node.path), facts);
    if (node.findings.length) {
      const list = element("ul");
      for (const place of node.findings) list.append(this.finding(data.findings[place]));
      this.details.append(list);
    }
    this.details.hidden = false;
  }

  finding(found) {
    const item = element("li");
    const title = element("span", `sev sev-${found.severity}`, `${found.code} ${found.name}`);
    item.append(title, ` ${found.message}`);
    if (found.help) item.append(element("div", "quiet", found.help));
    return item;
  }

  /** Bring a node's row into view, without the filters that would hide it, and open it. */
  reveal(order) {
    const node = this.all[order];
    if (!this.shown.includes(node)) {
      this.words.value = "";
      this.category.value = "";
      this.only.checked = false;
      this.choose(null);
    }
    const position = this.shown.indexOf(node);
    this.section.scrollIntoView();
    this.moveTo(position);
    if (this.chosen !== node) this.open(position);
  }

  show(subset) {
    this.words.value = "";
    this.category.value = "";
    this.only.checked = false;
    this.choose(subset);
  }
}
