"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const charts = [];

  // Numbers for people, as the tables of the page write them.
  const prefixes = { J: [["kJ", 1e3], ["J", 1], ["mJ", 1e-3], ["µJ", 1e-6]], s: [["s", 1], ["ms", 1e-3], ["µs", 1e-6]],
    B: [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024], ["B", 1]], W: [["kW", 1e3], ["W", 1]] };
  const short = (value) => String(+value.toPrecision(4));
  const pretty = (value, unit) => {
    if (unit === "1") return `${short(value * 100)} %`;
    if (!(unit in prefixes)) return unit ? `${short(value)} ${unit}` : short(value);
    const [name, size] = value === 0 ? prefixes[unit].find(([, s]) => s === 1)
      : prefixes[unit].find(([, s]) => Math.abs(value) >= s) ?? prefixes[unit].at(-1);
    return `${short(value / size)} ${name}`;
  };

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dress = (chart) => chart.data.datasets.forEach((set, i) => {
    set.borderColor = set.backgroundColor = css(`--c${(set.through ?? i) % 6}`);
  });
  const recolour = () => {
    Chart.defaults.color = css("--soft");
    Chart.defaults.borderColor = css("--line");
    for (const chart of charts) { dress(chart); chart.update("none"); }
  };
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.font.family = "system-ui, sans-serif";
  Chart.defaults.plugins.legend.align = "start";
  Chart.defaults.plugins.legend.labels.boxWidth = 12;

  const intervals = {
    id: "intervals",
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales: { y } } = chart;
      chart.data.datasets.forEach((set, i) => {
        if (!chart.isDatasetVisible(i)) return;
        ctx.save();
        ctx.strokeStyle = set.borderColor;
        ctx.beginPath();
        ctx.rect(area.left - 4, area.top, area.right - area.left + 8, area.bottom - area.top);
        ctx.clip();
        ctx.beginPath();
        chart.getDatasetMeta(i).data.forEach(({ x }, k) => {
          const { low, high } = set.data[k] ?? {};
          if (!(high > low)) return;
          const top = y.getPixelForValue(high), bottom = y.getPixelForValue(low);
          for (const end of [top, bottom]) { ctx.moveTo(x - 3, end); ctx.lineTo(x + 3, end); }
          ctx.moveTo(x, top);
          ctx.lineTo(x, bottom);
        });
        ctx.stroke();
        ctx.restore();
      });
    },
  };

  const horizontal = (plot, values) => {
    const title = { display: true, text: plot.x };
    if (plot.categories.length > 0)
      return { type: "linear", min: -0.5, max: plot.categories.length - 0.5, title,
        afterBuildTicks: (axis) => { axis.ticks = plot.categories.map((_, value) => ({ value })); },
        ticks: { callback: (value) => plot.categories[value] ?? "" } };
    const low = Math.min(...values), high = Math.max(...values), log = low > 0 && high / low >= 50;
    const axis = { type: log ? "logarithmic" : "linear", title, ticks: { callback: (value) => pretty(value, plot.xUnit) } };
    // Values that are all alike would be shown to their last digit, or about nothing.
    const alike = high - low <= 0.02 * Math.abs(high);
    if (log) Object.assign(axis, { min: low / 1.15, max: high * 1.15 });
    else if (alike && low > 0) Object.assign(axis, { min: low * 0.9, max: high * 1.1 });
    else axis.grace = "3%";
    const places = [...new Set(values)].sort((a, b) => a - b);
    if (!plot.xUnit && places.length <= 24)
      axis.afterBuildTicks = (scale) => { scale.ticks = places.map((value) => ({ value })); };
    return axis;
  };

  const vertical = (unit, most) => {
    const axis = { beginAtZero: true, suggestedMax: most, ticks: { callback: (value) => pretty(value, unit) } };
    // Bytes in steps of a power of two.
    if (unit === "B") axis.ticks.stepSize = 2 ** Math.ceil(Math.log2((most || 1) / 7));
    return axis;
  };

  const draw = (plot) => {
    const points = plot.series.map(({ points: all }) => all.map(([x, y, low, high, text]) => ({ x, y, low, high, text })));
    const all = points.flat();
    const fits = plot.fits.map(({ label, series, points: line }) => ({ label, through: series, order: 1, showLine: true,
      data: line.map(([x, y]) => ({ x, y, text: `${label}: ${pretty(y, plot.yUnit)}` })), pointRadius: 0, pointHitRadius: 4,
      borderWidth: 1.2, borderDash: [5, 4] }));
    // Points with a fit stand alone: two lines through the same points hide each other.
    const joined = (i) => plot.lines && !fits.some(({ through }) => through === i);
    charts.push(new Chart(document.getElementById(plot.id), {
      type: "scatter",
      data: { datasets: [...plot.series.map(({ label }, i) => ({ label, data: points[i], showLine: joined(i), borderWidth: 1.6 })), ...fits] },
      options: {
        scales: { x: horizontal(plot, all.map(({ x }) => x)),
          y: vertical(plot.yUnit, Math.max(...all.map(({ high }) => high))) },
        plugins: { tooltip: { callbacks: { label: ({ raw }) => raw.text } } },
      },
      plugins: [intervals],
    }));
  };

  // Power over time of one run: its windows as bands; drag to look closer.
  const drawTraces = (traces) => {
    const choice = document.getElementById("run"), canvas = document.getElementById("trace");
    const note = document.getElementById("trace-note");
    let run = traces[0], drag = null;
    const bands = {
      id: "bands",
      beforeDatasetsDraw({ ctx, chartArea: { left, right, top, bottom }, scales: { x } }) {
        ctx.save();
        ctx.fillStyle = css("--window");
        for (const { start, duration } of run.windows) {
          const from = Math.max(left, x.getPixelForValue(start)), to = Math.min(right, x.getPixelForValue(start + duration));
          if (to > from) ctx.fillRect(from, top, to - from, bottom - top);
        }
        ctx.restore();
      },
      afterDraw({ ctx, chartArea: { top, bottom } }) {
        if (drag) ctx.strokeRect(drag.from, top, drag.to - drag.from, bottom - top);
      },
    };
    const inside = (time) => run.windows.filter(({ start, duration }) => time >= start && time <= start + duration)
      .map(({ name, index, duration, count }) =>
        `${name} ${index}: ${pretty(duration, "s")}${count === undefined ? "" : `, ${count} items`}`);
    const chart = new Chart(canvas, {
      type: "scatter",
      data: { datasets: [] },
      options: {
        parsing: false,
        scales: { x: { title: { display: true, text: "seconds" } },
          y: { beginAtZero: true, ticks: { callback: (value) => pretty(value, "W") } } },
        interaction: { mode: "nearest", axis: "x", intersect: false },
        plugins: { tooltip: { callbacks: {
          title: ([{ parsed }]) => pretty(parsed.x, "s"),
          label: ({ parsed, dataset }) => `${dataset.label}: ${pretty(parsed.y, "W")}`,
          footer: ([{ parsed }]) => inside(parsed.x),
        } } },
      },
      plugins: [bands],
    });
    const look = (from, to) => {
      Object.assign(chart.options.scales.x, { min: from, max: to });
      chart.update("none");
    };
    const whole = () => look(0, run.duration || 1);
    const choose = () => {
      run = traces[Number(choice.value)];
      chart.data.datasets = run.channels.map(({ name, source, provenance, t, w }) => ({
        label: `${name}: ${source} (${provenance})`, data: t.map((x, i) => ({ x, y: w[i] })),
        showLine: true, pointRadius: 0, borderWidth: 1.4 }));
      note.textContent = run.leftOut ? `${run.leftOut} more windows are in the store and not drawn.` : "";
      dress(chart);
      whole();
    };
    traces.forEach(({ label }, i) => choice.add(new Option(label, i)));
    choice.addEventListener("change", choose);
    canvas.addEventListener("pointerdown", ({ offsetX }) => { drag = { from: offsetX, to: offsetX }; });
    canvas.addEventListener("pointermove", ({ offsetX }) => { if (drag) { drag.to = offsetX; chart.draw(); } });
    window.addEventListener("pointerup", () => {
      if (!drag) return;
      const [low, high] = [drag.from, drag.to].map((pixel) => chart.scales.x.getValueForPixel(pixel)).sort((a, b) => a - b);
      const far = Math.abs(drag.to - drag.from) > 8;
      drag = null;
      if (far) look(Math.max(low, 0), Math.min(high, run.duration)); else chart.draw();
    });
    canvas.addEventListener("dblclick", whole);
    document.getElementById("whole").addEventListener("click", whole);
    charts.push(chart);
    choose();
  };

  recolour();
  data.plots.forEach(draw);
  if (data.traces.length > 0) drawTraces(data.traces);
  charts.forEach((chart) => { dress(chart); chart.update("none"); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  const paper = (on) => {
    document.documentElement.classList.toggle("paper", on);
    recolour();
    for (const chart of charts) chart.resize();
  };
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
})();
