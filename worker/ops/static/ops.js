/* Little script: without it every page and every form works; with it the first screen lives. */
"use strict";

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

/* Theme: system, light, dark. The server reads the cookie, so that no page flashes. */
const THEMES = ["system", "light", "dark"];
function nextTheme(button) {
  const root = document.documentElement;
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = theme;
  document.cookie = `enroll_theme=${theme};path=/ops;max-age=31536000;samesite=strict`;
  button.textContent = `Theme: ${theme}`;
  drawSparks(document);
}

/* Marks on a sparkline: bands where the stage was paused, triangles where workers started, filled after a deployment. */
function drawMarks(chart, pauses, starts, color) {
  const { ctx, bbox } = chart, x = (seconds) => chart.valToPos(seconds, "x", true);
  const { left, top, width, height } = bbox, size = 5 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  for (const [from, to] of pauses) {
    const begin = Math.max(x(from), left), end = to === null ? left + width : x(to);
    ctx.fillStyle = color("--warn") + "33";
    ctx.fillRect(begin, top, Math.max(end - begin, size / 2), height);
    ctx.fillStyle = color("--warn");
    for (const bar of [0, 2]) ctx.fillRect(begin + (bar * size) / 5, top, size / 4, 2 * size);
  }
  ctx.strokeStyle = ctx.fillStyle = color("--quiet");
  ctx.lineWidth = devicePixelRatio;
  for (const [at, deployed] of starts) {
    ctx.beginPath();
    ctx.moveTo(x(at) - size, top + 1);
    ctx.lineTo(x(at) + size, top + 1);
    ctx.lineTo(x(at), top + 1.4 * size);
    ctx.closePath();
    if (deployed) ctx.fill(); else ctx.stroke();
    ctx.setLineDash([size / 2, size / 2]);
    ctx.beginPath();
    ctx.moveTo(x(at), top + 1.4 * size);
    ctx.lineTo(x(at), top + height);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  ctx.restore();
}

/* Sparklines, drawn anew after each update. */
function drawSparks(within) {
  if (!window.uPlot) return;
  const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(name).trim();
  const ink = color("--link");
  for (const spark of all("[data-points]", within)) {
    const [points, pauses, starts] = ["points", "pauses", "starts"].map((name) => JSON.parse(spark.dataset[name]));
    spark.replaceChildren();
    if (points.length < 2) {
      spark.textContent = points.length ? "one minute so far" : "nothing in the last hour";
      spark.classList.add("quiet");
      continue;
    }
    spark.classList.remove("quiet");
    const now = Date.now() / 1000;
    new uPlot({
      width: spark.clientWidth, height: 56, legend: { show: false }, cursor: { show: false }, padding: [4, 0, 2, 0],
      axes: [{ show: false }, { show: false }],
      scales: { x: { range: () => [now - 3600, now] }, y: { range: (_, low, high) => [0, Math.max(high, 1)] } },
      series: [{}, { stroke: ink, width: 2, fill: ink + "22", points: { show: false } }],
      hooks: { draw: [(chart) => drawMarks(chart, pauses, starts, color)] },
    }, [points.map((p) => p[0]), points.map((p) => p[1])], spark);
  }
}

/* Live updates. The server looks again only after it has sent; nothing runs while the tab is hidden or updates are paused. */
const STALE_SECONDS = 15;
function live(place) {
  const [body, age, mark, button] = ["body", "age", "age-mark", "pause-button"].map((name) => one(`[data-${name}]`, place));
  const pulse = one(".pulse", place);
  let source = null, seen = Date.now(), paused = false, trouble = "";

  function tell() {
    const seconds = Math.round((Date.now() - seen) / 1000);
    const stale = seconds > STALE_SECONDS || trouble !== "";
    pulse.toggleAttribute("data-stale", stale);
    mark.textContent = stale ? "▲" : paused ? "‖" : "●";
    age.textContent = `updated ${seconds} s ago${paused ? ", paused" : stale ? ", stale" : ""}${trouble && ": " + trouble}`;
  }
  function show(html) {
    const focused = document.activeElement?.closest?.("[data-body] a")?.getAttribute("href");
    const open = all("details", body).map((details) => details.open);
    body.innerHTML = html;
    all("details", body).forEach((details, n) => { details.open = Boolean(open[n]); });
    if (focused) one(`[data-body] a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    document.title = `${one(".verdict .state", body).textContent.trim()} · Now · enroll`;
    drawSparks(body);
  }
  function listen() {
    if (source || paused || document.hidden) return;
    source = new EventSource(place.dataset.live);
    source.addEventListener("page", (event) => { seen = Date.now(); trouble = ""; show(event.data); tell(); });
    source.addEventListener("trouble", (event) => { trouble = event.data; tell(); });
    source.addEventListener("over", () => { location.reload(); });
  }
  function stop() { source?.close(); source = null; }

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume updates" : "Pause updates";
    button.setAttribute("aria-pressed", String(paused));
    if (paused) stop(); else listen();
    tell();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else listen(); tell(); });
  addEventListener("pagehide", stop);
  setInterval(tell, 1000);
  listen();
  tell();
}

/* Keyboard. */
const PLACES = { n: "now", j: "jobs", f: "failures", c: "campaigns", w: "workers", s: "sources", u: "unknown", o: "operations", a: "audit" };
let going = 0;
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const { key } = event;
  if (Date.now() - going < 1500 && PLACES[key]) { one(`[data-go="${PLACES[key]}"]`)?.click(); return; }
  going = key === "g" ? Date.now() : 0;
  if (key === "/") { event.preventDefault(); one("#q")?.focus(); }
  if (key === "r") location.reload();
  if (key === "p") one("[data-pause-button]")?.click();
  if (key === "?") one("#help").showModal();
}

function onClick(event) {
  const button = event.target.closest("button");
  if (button?.matches("[data-theme-button]")) nextTheme(button);
  if (button?.matches("[data-help-button]")) one("#help").showModal();
  if (button?.dataset.copy) navigator.clipboard?.writeText(button.dataset.copy).then(() => { button.textContent = "Copied"; });
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-select-all]")) {
    all('input[name="item"]', event.target.form).forEach((box) => { box.checked = event.target.checked; });
  }
});
const reload = one("[data-reload]");
if (reload) setTimeout(() => { if (!document.hidden) location.replace(location.pathname); }, reload.dataset.reload * 1000);
drawSparks(document);
const place = one("[data-live]");
if (place) live(place);
