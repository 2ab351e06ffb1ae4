"use strict";
// Draws charts with uPlot: lines and dots between two axes, and a box that tells what the pointer
// is on.
//
// draw(root, { x, y, lines, height, labels, nothing }) draws a chart into the element `root`, in
// place of the one that was there.
//
// - x and y are axes: { label, log, percent, range }, where x may leave out its range.
// - A line is { name, colour, look, dash, points }. Its points are [x, y, standard error or null],
//   in the order of x; its look is "curve", "seed", "thin" or "dots".
// - With `labels` every line is a single point, and its name stands beside it.
// - Without any point, the text `nothing` stands in place of the chart.

const draw = (() => {
  const drawn = new Map();
  const STEPS = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]];

  // A variable may hold light-dark(): the browser decides it only where it is used as a colour.
  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  }

  const number = (value, percent) => {
    if (value === null || value === undefined) return "-";
    if (percent) return `${(100 * value).toFixed(2)} %`;
    const size = Math.abs(value);
    if (size >= 1e7 || (size > 0 && size < 1e-4)) return value.toExponential(1);
    if (Number.isInteger(value)) return String(value);
    return value.toFixed(Math.min(6, Math.max(0, 3 - Math.floor(Math.log10(size || 1)))));
  };

  // The ticks of a logarithmic axis: as many per decade as leave room for their labels.
  function decades(low, high, most) {
    let ticks = [];
    for (const steps of STEPS) {
      const next = [];
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
        for (const step of steps) {
          const tick = Number(`${step}e${e}`);
          if (tick >= low * 0.999 && tick <= high * 1.001) next.push(tick);
        }
      }
      if (next.length > most && ticks.length > 1) break;
      ticks = next;
    }
    return ticks;
  }

  function axis(scale, { label, log, percent }, space, size) {
    const ink = colour("--muted");
    const line = { stroke: colour("--line"), width: 1 };
    const most = (u) => (scale === "x" ? u.bbox.width : u.bbox.height) / devicePixelRatio / space;
    return {
      scale, label, size, stroke: ink, grid: line, ticks: { ...line, size: 5 }, labelSize: 22,
      font: "12px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif",
      space,
      ...(log && {
        splits: (u, _, low, high) => decades(low, high, most(u)),
        filter: (_, all) => all,
      }),
      values: (_, ticks) =>
        ticks.map((tick) => (percent ? `${+(100 * tick).toFixed(2)} %` : compact(tick))),
    };
  }

  const compact = (tick) => {
    const size = Math.abs(tick);
    if (size >= 1e6 || (size > 0 && size < 1e-3)) return tick.toExponential(0);
    return String(+tick.toPrecision(6));
  };

  // The lines as uPlot takes them: columns over all x, with gaps where a line has no value.
  function columns(lines, log) {
    const tables = [[[]]], series = [{}], bands = [];
    for (const line of lines) {
      const points = line.points.filter(
        ([x, y]) => x !== null && y !== null && (!log.x || x > 0) && (!log.y || y > 0),
      );
      const table = [points.map(([x]) => x), points.map(([, y]) => y)];
      const dots = line.look === "dots";
      const width = { curve: 2, seed: 0.8, thin: 1.4, dots: 0 }[line.look];
      series.push({
        label: line.name, stroke: line.colour, width, spanGaps: true,
        dash: line.look === "thin" ? [2, 4] : line.dash,
        ...(dots && { paths: () => null }),
        points: {
          show: dots || (line.look === "curve" && points.length < 60),
          size: dots ? line.size : 5, fill: line.colour, stroke: line.colour,
        },
      });
      if (line.look === "curve" && points.some(([, , error]) => error > 0)) {
        const edge = (sign) => points.map(([, y, error]) => {
          const value = y + sign * (error ?? 0);
          return log.y && value <= 0 ? y * 1e-3 : value;
        });
        table.push(edge(1), edge(-1));
        const at = series.length;
        series.push({ show: true, spanGaps: true, width: 0, points: { show: false } });
        series.push({ show: true, spanGaps: true, width: 0, points: { show: false } });
        const fill = line.colour.replace("rgb(", "rgba(").replace(")", ", 0.16)");
        bands.push({ series: [at, at + 1], fill });
      }
      tables.push(table);
    }
    return { data: uPlot.join(tables), series, bands };
  }

  const nearest = (points, x) => {
    let best = null;
    for (const point of points) {
      if (best === null || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
    }
    return best;
  };

  // The box beside the pointer: the values of all lines at this x, or the nearest point with labels.
  function tip(root, spec) {
    const box = document.createElement("div");
    box.className = "tip";
    root.append(box);
    const cell = (row, text) => row.insertCell().append(text);
    return (u) => {
      const { left, top, idx } = u.cursor;
      box.style.display = "none";
      if (left === undefined || left < 0 || idx === null) return;
      const at = u.data[0][idx];
      const shown = [];
      for (const line of spec.lines) {
        if (line.look === "seed" || line.look === "thin") continue;
        const points = line.points.filter(
          ([x, y]) => x !== null && y !== null && (!spec.x.log || x > 0),
        );
        const point = nearest(points, at);
        if (!point) continue;
        const away = [u.valToPos(point[0], "x") - left, u.valToPos(point[1], "y") - top];
        const near = spec.labels ? Math.hypot(...away) < 32 : Math.abs(away[0]) < 60;
        if (near) shown.push({ line, point });
      }
      if (!shown.length) return;
      shown.sort((a, b) => b.point[1] - a.point[1]);
      box.replaceChildren();
      const head = document.createElement("b");
      const here = spec.labels ? shown[0].point[0] : at;
      head.textContent = `${spec.x.label}: ${number(+here.toPrecision(4))}`;
      const table = document.createElement("table");
      for (const { line, point: [, y, error] } of shown) {
        const row = table.insertRow();
        const dot = document.createElement("i");
        dot.style.background = line.colour;
        cell(row, dot);
        cell(row, line.name);
        const { percent } = spec.y;
        cell(row, number(y, percent) + (error > 0 ? ` ± ${number(error, percent)}` : ""));
      }
      box.append(head, table);
      box.style.display = "block";
      const over = u.over.offsetLeft + left;
      const right = over + 18 + box.offsetWidth > root.clientWidth;
      box.style.left = `${right ? Math.max(0, over - 18 - box.offsetWidth) : over + 18}px`;
      const lowest = root.clientHeight - box.offsetHeight;
      box.style.top = `${Math.max(0, Math.min(u.over.offsetTop + top - 12, lowest))}px`;
    };
  }

  // The names beside the points, and bars of one standard error.
  function names(u, lines) {
    const { ctx } = u, ratio = devicePixelRatio;
    const place = ([x, y]) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
    // What is covered already, as [left, middle, width]: to begin with the points themselves.
    const taken = lines.map(({ points: [point] }) => {
      const [px, py] = place(point);
      return [px - 6 * ratio, py, 12 * ratio];
    });
    ctx.save();
    ctx.font = `${12 * ratio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const { name, colour: ink, points: [[x, y, error]] } of lines) {
      const [px, py] = place([x, y]);
      if (error > 0) {
        ctx.strokeStyle = ink;
        ctx.lineWidth = 1.5 * ratio;
        ctx.beginPath();
        ctx.moveTo(px, u.valToPos(y + error, "y", true));
        ctx.lineTo(px, u.valToPos(Math.max(y - error, u.scales.y.min), "y", true));
        ctx.stroke();
      }
      const width = ctx.measureText(name).width, high = 15 * ratio, gap = 9 * ratio;
      const beside = (y) => [[px + gap, y], [px - gap - width, y]];
      const around = (y) => [...beside(y), [px - width / 2, y]];
      const rings = [1, 2, 3, 4].flatMap((ring) => [py + ring * high, py - ring * high]);
      const places = [...beside(py), ...rings.flatMap(around)];
      const covers = (left, middle) => ([l, m, w]) =>
        left < l + w && l < left + width && Math.abs(m - middle) < high;
      const free = ([left, middle]) =>
        left > u.bbox.left && left + width < u.bbox.left + u.bbox.width
        && !taken.some(covers(left, middle));
      const [left, middle] = places.find(free) ?? places[0];
      taken.push([left, middle, width]);
      ctx.fillStyle = colour("--ink");
      ctx.fillText(name, left, middle);
    }
    ctx.restore();
  }

  return function draw(root, spec) {
    drawn.get(root)?.destroy();
    drawn.delete(root);
    root.replaceChildren();
    const { x, y, height, labels } = spec;
    const { data, series, bands } = columns(spec.lines, { x: x?.log, y: y?.log });
    if (data[0].length === 0) {
      root.textContent = spec.nothing ?? "nothing to draw";
      return;
    }
    const distribution = (log) => (log ? { distr: 3, log: 10 } : { distr: 1 });
    const across = (_, low, high) => {
      if (low === high) return x.log ? [low / 2, high * 2] : [low - 1, high + 1];
      return x.range ?? [low, high];
    };
    const plot = new uPlot({
      width: root.clientWidth, height, series, bands,
      padding: [10, 12, 0, 0],
      legend: { show: false },
      focus: { alpha: 0.35 },
      cursor: {
        x: !labels, y: false,
        focus: { prox: labels ? -1 : 24 }, hover: { skip: [null, undefined] },
        points: { show: !labels, size: 8 }, drag: { x: !labels, y: false },
      },
      scales: {
        x: { time: false, range: across, ...distribution(x.log) },
        y: { range: () => y.range, ...distribution(y.log) },
      },
      axes: [axis("x", x, 62, 34), axis("y", y, 34, 58)],
      hooks: { setCursor: [tip(root, spec)], draw: labels ? [(u) => names(u, spec.lines)] : [] },
    }, data, root);
    drawn.set(root, plot);
  };
})();
