"use strict";
// Series on and off.
document.querySelectorAll(".legend button[data-series]").forEach((key) => key.addEventListener("click", () => {
  const off = key.classList.toggle("off");
  key.closest("figure").querySelectorAll(`g[data-series="${key.dataset.series}"]`)
    .forEach((group) => group.classList.toggle("off", off));
}));
// Power over time of a run; drag to look closer, double click for the whole run.
(() => {
  const traces = JSON.parse(document.getElementById("traces").textContent);
  const svg = document.getElementById("trace"), choice = document.getElementById("run");
  if (!svg || !choice || traces.length === 0) return;
  const W = 1160, H = 320, L = 60, R = 12, T = 12, B = 34;
  let run = traces[0], from = 0, to = 1, start = null;
  const hidden = new Set();
  const make = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const ticks = (low, high, wanted) => {
    const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw)), factor = raw / power;
    const step = power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10), out = [];
    for (let i = Math.ceil(low / step); i * step <= high; i++) out.push(i * step);
    return out;
  };
  const x = (t) => L + (t - from) / (to - from) * (W - L - R);
  const time = (event) => {
    const box = svg.getBoundingClientRect();
    return from + ((event.clientX - box.left) / box.width * W - L) / (W - L - R) * (to - from);
  };
  const draw = () => {
    svg.replaceChildren();
    const shown = run.channels.filter((c) => !hidden.has(c.name));
    let most = 0;
    for (const c of shown) c.t.forEach((t, i) => { if (t >= from && t <= to && c.w[i] > most) most = c.w[i]; });
    most = (most || 1) * 1.05;
    const y = (w) => H - B - w / most * (H - B - T);
    for (const w of run.windows) {
      const left = Math.max(L, x(w.s)), right = Math.min(W - R, x(w.s + w.d));
      if (right <= left) continue;
      const box = make("rect", { class: "window", x: left, y: T, width: right - left, height: H - B - T });
      box.append(make("title", {}, `${w.n} ${w.i}: ${w.d.toPrecision(4)} s${w.c === undefined ? "" : `, ${w.c} items`}`));
      svg.append(box);
    }
    for (const tick of ticks(0, most, 5)) {
      svg.append(make("line", { class: "grid", x1: L, x2: W - R, y1: y(tick), y2: y(tick) }));
      svg.append(make("text", { x: L - 6, y: y(tick) + 4, "text-anchor": "end" }, `${+tick.toPrecision(6)} W`));
    }
    for (const tick of ticks(from, to, 10))
      svg.append(make("text", { x: x(tick), y: H - B + 16, "text-anchor": "middle" }, `${+tick.toPrecision(6)} s`));
    run.channels.forEach((c, number) => {
      if (hidden.has(c.name)) return;
      let path = "";
      // One point outside on each side, so that lines reach the edges.
      c.t.forEach((t, i) => {
        if ((c.t[i + 1] ?? t) < from || (c.t[i - 1] ?? t) > to) return;
        path += `${path ? "L" : "M"}${x(t).toFixed(1)} ${y(c.w[i]).toFixed(1)}`;
      });
      const group = make("g", { class: `s${number % 6}`, "clip-path": "url(#inside)" });
      group.append(make("path", { class: "line", d: path || "M0 0" }));
      svg.append(group);
    });
    const clip = make("clipPath", { id: "inside" });
    clip.append(make("rect", { x: L, y: 0, width: W - L - R, height: H }));
    svg.append(clip);
  };
  const legend = document.getElementById("trace-legend"), note = document.getElementById("trace-note");
  const choose = () => {
    run = traces[Number(choice.value)];
    from = 0;
    to = run.duration || 1;
    legend.replaceChildren(...run.channels.map((c, number) => {
      const key = document.createElement("button");
      key.type = "button";
      key.className = `key s${number % 6}${hidden.has(c.name) ? " off" : ""}`;
      key.textContent = `${c.name}: ${c.source} (${c.provenance})`;
      key.addEventListener("click", () => {
        if (!hidden.delete(c.name)) hidden.add(c.name);
        key.classList.toggle("off", hidden.has(c.name));
        draw();
      });
      return key;
    }));
    note.textContent = run.left_out ? `${run.left_out} more windows are in the store and not drawn.` : "";
    draw();
  };
  traces.forEach((one, i) => choice.add(new Option(one.label, i)));
  choice.addEventListener("change", choose);
  svg.addEventListener("pointerdown", (event) => { start = time(event); });
  svg.addEventListener("pointerup", (event) => {
    const end = time(event), low = Math.min(start ?? end, end), high = Math.max(start ?? end, end);
    start = null;
    if (high - low < (to - from) / 100) return;
    [from, to] = [Math.max(low, 0), Math.min(high, run.duration)];
    draw();
  });
  svg.addEventListener("dblclick", choose);
  choose();
})();
