function chooseBlock(tables, block) {
  const table = tables.get(block.dataset.model);
  const place = Number(block.dataset.block);
  if (block.getAttribute("aria-pressed") === "true") { table.choose(null); return; }
  const title = `Block: ${table.data.blocks[place]}`;
  table.show({ title, block: place, has: (node) => node.block === place });
}

/** One tab stop for a strip; the arrows go from block to block. */
function strip(group) {
  const blocks = [...group.children];
  const caption = document.getElementById(group.getAttribute("aria-describedby"));
  blocks.forEach((block, place) => { block.tabIndex = place ? -1 : 0; });
  const tell = (event) => {
    const block = event.target.closest(".block");
    if (block) caption.textContent = block.getAttribute("aria-label");
  };
  group.addEventListener("pointerover", tell);
  group.addEventListener("focusin", (event) => {
    tell(event);
    for (const block of blocks) block.tabIndex = block === event.target ? 0 : -1;
  });
  group.addEventListener("keydown", (event) => {
    const at = blocks.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: blocks.length - 1 }[event.key];
    if (to === undefined || !blocks[to]) return;
    event.preventDefault();
    blocks[to].focus();
  });
}

function themes(button) {
  const root = document.documentElement;
  const set = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let kept = root.dataset.theme || "auto";
  try { kept = localStorage.getItem("graphlint-theme") || kept; } catch { /* not in this browser */ }
  set(["light", "dark"].includes(kept) ? kept : "auto");
  button.hidden = false;
  button.addEventListener("click", () => {
    const now = root.dataset.theme || "auto";
    const next = { auto: "light", light: "dark", dark: "auto" }[now];
    set(next);
    try { localStorage.setItem("graphlint-theme", next); } catch { /* not in this browser */ }
  });
}

const tables = new Map();
for (const data of JSON.parse(document.getElementById("data").textContent)) {
  tables.set(String(data.number), new Nodes(data));
}
document.querySelectorAll(".strip").forEach(strip);
themes(document.getElementById("theme"));
document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-node], [data-finding], [data-block]");
  if (!target) return;
  const table = tables.get(target.dataset.model);
  if ("node" in target.dataset) table.reveal(Number(target.dataset.node));
  else if ("block" in target.dataset) chooseBlock(tables, target);
  else {
    const place = Number(target.dataset.finding);
    const { code, name } = table.data.findings[place];
    table.show({ title: `Finding: ${code} ${name}`, has: (node) => node.findings.includes(place) });
    table.section.scrollIntoView();
  }
});
const redraw = (printed) => tables.forEach((table) => {
  table.tell(printed);
  table.draw(true, printed);
});
addEventListener("beforeprint", () => redraw(PRINTED_ROWS));
addEventListener("afterprint", () => redraw(0));
