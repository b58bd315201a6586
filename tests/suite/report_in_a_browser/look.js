// Looks at a report as it is shown in a frame of some width, and tells the page around it what is wrong.
const wait = setInterval(() => {
  if (document.getElementById("machines-form").hidden) return;
  clearInterval(wait);
  look();
}, 20);

function look() {
  const faults = [];
  const root = document.documentElement;
  const width = root.clientWidth;
  if (root.scrollWidth > width) faults.push(`the page is ${root.scrollWidth} px wide in ${width}`);
  const isSeen = (box) => box.width > 1 && box.height > 1;
  const all = [...document.body.querySelectorAll("*")].filter((one) => !one.closest("script, style, title, desc") && !isClipped(one));
  for (const one of all) {
    const box = one.getBoundingClientRect();
    if (isSeen(box) && box.right > width + 1) faults.push(`${name(one)} ends at ${box.right} px in ${width}`);
  }
  for (const one of all) {
    const box = one.getBoundingClientRect();
    const style = getComputedStyle(one);
    if (!isSeen(box) || style.visibility === "hidden") continue;
    const behind = background(one.namespaceURI.endsWith("svg") ? one.closest("svg") : one);
    const hasText = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (hasText && one.namespaceURI.endsWith("xhtml")) {
      const size = parseFloat(style.fontSize);
      const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      const found = contrast(color(style.color), behind);
      if (found < least) faults.push(`${name(one)} has a contrast of ${found.toFixed(2)}`);
      if (size < 11) faults.push(`${name(one)} is ${size} px high`);
    }
    if (["rect", "path"].includes(one.tagName) && style.fill !== "none") {
      const found = contrast(color(style.fill), behind);
      if (found < 3) faults.push(`${name(one)} has a contrast of ${found.toFixed(2)}`);
    }
  }
  for (const svg of document.querySelectorAll("svg")) {
    const box = svg.getBoundingClientRect();
    if (box.width < 60 || box.height < 8) faults.push(`a figure is ${box.width} by ${box.height} px`);
    for (const part of ["title", "desc"]) {
      if (!svg.querySelector(part)?.textContent) faults.push(`a figure has no ${part}`);
    }
  }
  const rows = () => document.getElementById("machines-table").tBodies[0].rows;
  const before = rows().length;
  const last = WANTED;
  const search = document.getElementById("machines-search");
  search.value = last.toUpperCase();
  search.dispatchEvent(new Event("input"));
  const found = [...rows()].map((row) => row.textContent);
  if (found.length !== 1) faults.push(`${found.length} of ${before} rows are found by ${last}`);
  parent.postMessage({ width, before, found, pwned: typeof pwned !== "undefined", faults }, "*");
}

// Headings that only readers aloud are told: their table names them in each cell.
function isClipped(one) {
  const heading = one.closest("thead");
  return heading !== null && getComputedStyle(heading).position === "absolute";
}

function name(one) {
  return `<${one.tagName.toLowerCase()} class="${one.getAttribute("class") || ""}">${one.textContent.slice(0, 40)}`;
}

function color(text) {
  const [red, green, blue, alpha] = text.match(/[\d.]+/g).map(Number);
  return { rgb: [red, green, blue], alpha: alpha ?? 1 };
}

function background(one) {
  for (let at = one; at; at = at.parentElement) {
    const found = color(getComputedStyle(at).backgroundColor);
    if (found.alpha === 1) return found;
  }
  throw new Error("nothing is behind it");
}

function contrast(one, other) {
  const light = ({ rgb }) => {
    const [red, green, blue] = rgb.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}
