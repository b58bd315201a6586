(async () => {
  "use strict";
  const data = document.getElementById("machines-data");
  const table = document.getElementById("machines-table");
  if (!data || !table || !("DecompressionStream" in window)) return;
  const bytes = Uint8Array.from(atob(data.textContent.trim()), (c) => c.charCodeAt(0));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const cells = (await new Response(unpacked).text()).split("\n");
  const headings = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const count = Number(data.dataset.rows);
  const short = Number(data.dataset.short || 0);
  const column = (name) => headings.indexOf(name);
  const rows = [];
  let line = 0;
  for (let row = 0; row < count; row += 1) {
    const own = headings.map((_, at) => cells[at * count + row]);
    line += Number(own[0]);
    own[0] = String(line);
    rows.push({ own, text: own.join("\n").toLowerCase() });
  }
  const search = document.getElementById("machines-search");
  const outcome = document.getElementById("machines-outcome");
  const shown = document.getElementById("machines-shown");
  const more = document.getElementById("machines-more");
  const PAGE = 200;
  let limit = PAGE;
  const fits = (row, wanted, word) =>
    (!word || row.own[column("Outcome")] === word) &&
    (row.text.includes(wanted) ||
      (short > 0 && row.own[1].length === short && wanted.startsWith(row.own[1].toLowerCase())));
  const draw = () => {
    const wanted = search.value.trim().toLowerCase();
    const found = rows.filter((row) => fits(row, wanted, outcome.value));
    const body = document.createElement("tbody");
    for (const row of found.slice(0, limit)) {
      const line = body.insertRow();
      row.own.forEach((text, at) => {
        const cell = line.insertCell();
        cell.textContent = text;
        cell.dataset.label = headings[at];
      });
    }
    table.tBodies[0].replaceWith(body);
    const few = Math.min(limit, found.length).toLocaleString("en");
    shown.textContent = `${few} of ${found.length.toLocaleString("en")} that fit are shown.`;
    more.hidden = found.length <= limit;
  };
  const anew = () => { limit = PAGE; draw(); };
  search.addEventListener("input", anew);
  outcome.addEventListener("change", anew);
  more.addEventListener("click", () => { limit += PAGE; draw(); });
  document.getElementById("machines-form").hidden = false;
  document.getElementById("machines-static")?.remove();
  draw();
})();
