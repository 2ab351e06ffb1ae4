"use strict";
// The page: it shows the race in charts, and its buttons choose what they show.

const data = JSON.parse(document.getElementById("data").textContent);
const { entrants } = data;
const at = (id) => document.getElementById(id);

// The columns of the evaluations that can be chosen for either axis, and how each is shown.
const byColumn = (choices) => Object.fromEntries(choices.map((choice) => [choice.column, choice]));
const ACROSS = byColumn(data.across);
const UP = byColumn(data.up);

const state = {
  across: "time", up: "train_loss", seeds: false, logX: null, logY: null, hidden: new Set(),
};

const coloured = () => entrants.map((entrant, n) => ({ ...entrant, colour: ink(n) }));
const shown = () => coloured().filter((_, n) => !state.hidden.has(n));
const key = (n) => document.querySelector(`[data-toggle="${n}"]`);
const ink = (n) => getComputedStyle(key(n).querySelector("path")).stroke;

// The ends of an axis that has a little room around these values; `top` is as far as it goes.
function range(values, log, top) {
  const drawable = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  if (!drawable.length) return log ? [0.1, 1] : [0, 1];
  let low = Math.min(...drawable), high = Math.min(Math.max(...drawable), top ?? Infinity);
  if (high <= low) [low, high] = log ? [low / 1.5, low * 1.5] : [low - 0.5, low + 0.5];
  const room = log ? (high / low) ** 0.04 : (high - low) * 0.04;
  return log ? [low / room, high * room] : [low - room, high + room];
}

function course() {
  const { across, up } = state;
  const logX = state.logX ?? ACROSS[across].log;
  const logY = state.logY ?? UP[up].log;
  const points = (run) =>
    run[across].map((x, n) => [x, run[up].values[n], run[up].errors?.[n] ?? null]);
  const lines = [];
  for (const { name, colour, dash, mean, seeds } of shown()) {
    for (const seed of state.seeds ? seeds : []) {
      const one = { name: `${name}, seed ${seed.seed}`, colour, dash };
      lines.push({ ...one, look: "seed", points: points(seed) });
    }
    lines.push({ name, colour, dash, look: "curve", points: points(mean) });
    if (up === "train_loss" && mean.bound) {
      const bound = mean[across].map((x, n) => [x, mean.bound[n], null]);
      lines.push({ name: `${name}, bound`, colour, look: "thin", points: bound });
    }
  }
  const measured = lines.filter((line) => line.look !== "thin");
  const values = measured.flatMap((line) => line.points.map(([, y]) => y));
  draw(at("course"), {
    x: { ...ACROSS[across], log: logX },
    y: { ...UP[up], log: logY, range: range(values, logY, UP[up].top) },
    lines, height: 420,
  });
  for (const [id, on] of [["logX", logX], ["logY", logY], ["seeds", state.seeds]]) {
    at(id)?.setAttribute("aria-pressed", on);
  }
}

function frontier() {
  const lines = [];
  let highest = 0;
  for (const { name, colour, mean, update_time, diverged } of shown()) {
    const end = mean.train_loss.values.at(-1), error = mean.train_loss.errors?.at(-1) ?? null;
    if (update_time.value === null) continue;
    if (!diverged) highest = Math.max(highest, end);
    lines.push({
      name: diverged ? `${name} (diverged)` : name, colour, look: "dots", size: 11, diverged,
      points: [[update_time.value, end, error]],
    });
  }
  // An entrant that diverged stands at the upper edge, if another one gives the axis a scale.
  if (!(highest > 0)) {
    draw(at("places"), { lines: [], nothing: lines.length ? "all diverged" : undefined });
    return;
  }
  for (const { points: [point] } of lines.filter((line) => line.diverged)) {
    point.splice(1, 2, highest * 1.3, null);
  }
  const xs = lines.map((line) => line.points[0][0]);
  const bar = ([, y, error]) => [y, y + (error ?? 0), y - (error ?? 0)];
  const ends = lines.flatMap(({ points: [point] }) => bar(point));
  const log = data.frontier_log;
  const [low, high] = log ? range(xs, true) : [0, Math.max(...xs) * 1.08];
  draw(at("places"), {
    x: { label: "time per update (s)", log, range: log ? [low / 1.3, high * 1.5] : [low, high] },
    y: { label: "training loss at the end", log: true, range: range(ends, true) },
    lines, height: 320, labels: true,
  });
}

function staleness() {
  const lines = [];
  for (const { name, colour, staleness } of shown()) {
    if (!staleness) continue;
    const points = (shares) => shares.map((share, s) => [s, share >= 1e-4 ? share : null, null]);
    lines.push({ name, colour, look: "dots", size: 6, points: points(staleness.measured) });
    if (staleness.distribution) lines.push({ name, colour, look: "thin", points: points(staleness.distribution) });
  }
  at("staleness").hidden = !entrants.some((entrant) => entrant.staleness);
  if (at("staleness").hidden) return;
  const shares = lines.flatMap((line) => line.points.map(([, y]) => y));
  draw(at("shares"), {
    x: { label: "staleness s" },
    y: { label: "share of the gradients", log: true, range: range(shares, true) },
    lines, height: 320,
  });
}

function render() {
  course();
  frontier();
  staleness();
}

function button(text, pressed, click) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", () => click(made));
  return made;
}

// A row of buttons, of which one is pressed: the column that an axis shows.
function choice(title, options, field) {
  const group = document.createElement("div");
  const label = document.createElement("label");
  label.textContent = title;
  const buttons = options.map(({ column, name }) => {
    const made = button(name, state[field] === column, () => {
      state[field] = column;
      state[field === "across" ? "logX" : "logY"] = null;
      buttons.forEach((other) => other.setAttribute("aria-pressed", other === made));
      render();
    });
    made.id = column;
    return made;
  });
  group.append(label, ...buttons);
  return group;
}

function switches() {
  const group = document.createElement("div");
  const flip = (id, text) => {
    const made = button(text, false, () => {
      state[id] = made.getAttribute("aria-pressed") !== "true";
      render();
    });
    made.id = id;
    return made;
  };
  group.append(flip("logX", "log x"), flip("logY", "log y"));
  if (entrants.some((entrant) => entrant.seeds.length)) group.append(flip("seeds", "each seed"));
  return group;
}

at("controls").append(
  choice("x axis", data.across, "across"), choice("y axis", data.up, "up"), switches(),
);

entrants.forEach((_, n) => key(n).addEventListener("click", () => {
  const hide = !state.hidden.delete(n);
  if (hide) state.hidden.add(n);
  key(n).setAttribute("aria-pressed", !hide);
  for (const part of document.querySelectorAll(`[data-entrant="${n}"]`)) {
    part.classList.toggle("off", hide);
  }
  render();
}));

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
at("theme").addEventListener("click", () => {
  const now = root.dataset.theme ?? (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  render();
});
dark.addEventListener("change", render);

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) render();
  width = innerWidth;
});

// Paper is light, and narrower than a window.
let before;
addEventListener("beforeprint", () => {
  before = root.dataset.theme;
  root.dataset.theme = "light";
  document.body.classList.add("paper");
  render();
});
addEventListener("afterprint", () => {
  if (before === undefined) delete root.dataset.theme;
  else root.dataset.theme = before;
  document.body.classList.remove("paper");
  render();
});

render();
