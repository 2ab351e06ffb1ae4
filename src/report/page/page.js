"use strict";
// The page: what is shown of the race, and how it is switched.

const { entrants, ceiling } = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);

const ACROSS = {
  time: { label: "run time (s)", name: "run time" },
  updates: { label: "updates", name: "updates" },
  gradients: { label: "gradients", name: "gradients" },
};
const K_MOVES = entrants.some(({ mean }) => new Set(mean.per_update.values.filter((k) => k !== null)).size > 1);
const UP = {
  train_loss: { label: "training loss", log: true, top: ceiling ?? Infinity },
  test_loss: { label: "test loss", log: true, top: ceiling ?? Infinity },
  test_accuracy: { label: "test accuracy", log: false, percent: true, top: 1 },
  ...(K_MOVES && { per_update: { label: "gradients per update", log: false, top: Infinity } }),
};

const state = { across: "time", up: "train_loss", seeds: false, logX: null, logY: null, hidden: new Set() };

const shown = () => entrants.map((entrant, n) => ({ ...entrant, colour: ink(n) })).filter((_, n) => !state.hidden.has(n));
const key = (n) => document.querySelector(`[data-toggle="${n}"]`);
const ink = (n) => getComputedStyle(key(n).querySelector("path")).stroke;

// Where the ends lie apart by more than a factor of ten, on a logarithmic axis.
function apart(of) {
  const ends = shown().map((entrant) => of(entrant).at(-1)).filter((end) => end > 0);
  return Math.max(...ends) > 10 * Math.min(...ends);
}

// From where to where, with a little room.
function range(values, log, top = Infinity) {
  const drawable = values.filter((value) => value !== null && Number.isFinite(value) && (!log || value > 0));
  if (!drawable.length) return log ? [0.1, 1] : [0, 1];
  let low = Math.min(...drawable), high = Math.min(Math.max(...drawable), top);
  if (high <= low) [low, high] = log ? [low / 1.5, low * 1.5] : [low - 0.5, low + 0.5];
  const room = log ? (high / low) ** 0.04 : (high - low) * 0.04;
  return log ? [low / room, high * room] : [low - room, high + room];
}

function course() {
  const { across, up } = state;
  const logX = state.logX ?? (across !== "time" && apart(({ mean }) => mean[across]));
  const logY = state.logY ?? UP[up].log;
  const points = (run) => run[across].map((x, n) => [x, run[up].values[n], run[up].errors?.[n] ?? null]);
  const lines = [];
  for (const { name, colour, dash, mean, seeds } of shown()) {
    if (state.seeds) seeds.forEach((seed) => lines.push({ name: `${name}, seed ${seed.seed}`, colour, dash, look: "seed", points: points(seed) }));
    lines.push({ name, colour, dash, look: "curve", points: points(mean) });
    if (up === "train_loss" && mean.bound) {
      lines.push({ name: `${name}, bound`, colour, look: "thin", points: mean[across].map((x, n) => [x, mean.bound[n], null]) });
    }
  }
  const values = lines.filter((line) => line.look !== "thin").flatMap((line) => line.points.map(([, y]) => y));
  draw(at("course"), {
    x: { ...ACROSS[across], log: logX },
    y: { ...UP[up], log: logY, range: range(values, logY, UP[up].top) },
    lines, height: 420,
  });
  for (const [id, on] of [["logX", logX], ["logY", logY], ["seeds", state.seeds]]) at(id)?.setAttribute("aria-pressed", on);
}

function frontier() {
  const lines = [];
  let highest = 0;
  for (const { name, colour, mean, update_time } of shown()) {
    const end = mean.train_loss.values.at(-1), fine = end !== null && (ceiling === null || end <= ceiling);
    if (update_time.value === null) continue;
    if (fine) highest = Math.max(highest, end);
    lines.push({ name: fine ? name : `${name} (diverged)`, colour, look: "dots", size: 11, fine, points: [[update_time.value, end, mean.train_loss.errors?.at(-1) ?? null]] });
  }
  // What diverged stands at the upper edge, if there is a scale that has one.
  if (!(highest > 0)) {
    draw(at("places"), { lines: [], nothing: lines.length ? "all diverged" : undefined });
    return;
  }
  lines.filter((line) => !line.fine).forEach((line) => { line.points[0].splice(1, 2, highest * 1.3, null); });
  const xs = lines.map((line) => line.points[0][0]);
  const ends = lines.flatMap(({ points: [[, y, error]] }) => [y, y + (error ?? 0), y - (error ?? 0)]);
  const log = Math.max(...xs) > 10 * Math.min(...xs);
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
    if (staleness.law) lines.push({ name, colour, look: "thin", points: points(staleness.law) });
  }
  at("staleness").hidden = !entrants.some((entrant) => entrant.staleness);
  if (at("staleness").hidden) return;
  draw(at("shares"), {
    x: { label: "staleness s" },
    y: { label: "share of the gradients", log: true, range: range(lines.flatMap((line) => line.points.map(([, y]) => y)), true) },
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

// One of several, as buttons of which one is pressed.
function choice(title, options, field) {
  const group = document.createElement("div");
  const label = document.createElement("label");
  label.textContent = title;
  const buttons = Object.entries(options).map(([value, { name, label: text }]) => {
    const made = button(name ?? text, state[field] === value, () => {
      Object.assign(state, { [field]: value }, field === "across" ? { logX: null } : { logY: null });
      buttons.forEach((other) => other.setAttribute("aria-pressed", other === made));
      render();
    });
    made.id = value;
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
  group.append(flip("logX", "log across"), flip("logY", "log up"));
  if (entrants.some((entrant) => entrant.seeds.length)) group.append(flip("seeds", "each seed"));
  return group;
}

at("controls").append(choice("against", ACROSS, "across"), choice("of", UP, "up"), switches());

entrants.forEach((_, n) => key(n).addEventListener("click", () => {
  const hide = !state.hidden.delete(n);
  if (hide) state.hidden.add(n);
  key(n).setAttribute("aria-pressed", !hide);
  document.querySelectorAll(`[data-entrant="${n}"]`).forEach((part) => part.classList.toggle("off", hide));
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
