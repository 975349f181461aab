"use strict";
(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const stage = document.getElementById("stage"), canvas = document.getElementById("field");
  const tip = document.getElementById("tip"), heard = document.getElementById("heard");
  const sprite = document.getElementById("sprite");
  const pen = canvas.getContext("2d");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const count = data.codes.length;
  const hidden = new Set();
  const view = { scale: 1, x: 0, y: 0 }; // pixels of one unit, and of its origin
  const held = new Map(); // pointers that are down
  let which = 0, picked = -1, width = 0, height = 0, waiting = false;

  // Drawn in an order of no meaning: the label that is drawn last would hide the others.
  const order = Array.from({ length: count }, (_, i) => i);
  let state = 12345;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const j = state % (i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }

  const ink = (code) => {
    const colour = code < 0 ? data.unlabelled : data.colours[code];
    const lift = (c) => Math.round(dark.matches ? c + (255 - c) * 0.34 : c);
    return `rgb(${lift(colour[0])}, ${lift(colour[1])}, ${lift(colour[2])})`;
  };
  const place = (i) => {
    const at = data.maps[which].places;
    return [view.x + at[2 * i] * view.scale, view.y - at[2 * i + 1] * view.scale];
  };
  const radius = () => (count <= 500 ? 5 : count <= 2000 ? 4 : count <= 10000 ? 3 : 2) * Math.min(2, Math.max(1, Math.sqrt(view.scale / fit())));
  const fit = () => Math.max(1, Math.min(width - 36, height - 36));
  const all = () => {
    const [wide, high] = data.maps[which].size;
    view.scale = Math.max(1, Math.min((width - 36) / Math.max(wide, 1e-6), (height - 36) / Math.max(high, 1e-6)));
    view.x = width / 2 - (wide * view.scale) / 2;
    view.y = height / 2 + (high * view.scale) / 2;
  };

  function draw() {
    waiting = false;
    const dense = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
      canvas.width = Math.round(width * dense);
      canvas.height = Math.round(height * dense);
    }
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    const r = radius(), inks = data.colours.map((_, code) => ink(code)), bare = ink(-1);
    const paper = getComputedStyle(stage).backgroundColor;
    for (const i of order) {
      const code = data.codes[i];
      if (hidden.has(code)) continue;
      const [x, y] = place(i);
      if (x < -r || y < -r || x > width + r || y > height + r) continue;
      pen.beginPath();
      pen.arc(x, y, r, 0, 2 * Math.PI);
      pen.fillStyle = code < 0 ? bare : inks[code];
      pen.fill();
      if (count <= 2000) {
        pen.strokeStyle = paper;
        pen.lineWidth = 1;
        pen.stroke();
      }
    }
    if (picked >= 0) {
      const [x, y] = place(picked);
      pen.beginPath();
      pen.arc(x, y, r + 4, 0, 2 * Math.PI);
      pen.strokeStyle = getComputedStyle(document.body).color;
      pen.lineWidth = 2;
      pen.stroke();
    }
    tell();
  }
  const redraw = () => {
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(draw);
    }
  };

  function tell() {
    tip.hidden = picked < 0;
    if (picked < 0) return;
    const [x, y] = place(picked), box = tip.getBoundingClientRect();
    const beside = x + 16 + box.width > width ? x - 16 - box.width : x + 16;
    const left = Math.min(beside, width - box.width - 6);
    const top = Math.min(Math.max(6, y - box.height / 2), height - box.height - 6);
    tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  }
  function pick(i) {
    if (i === picked) return;
    picked = i;
    tip.replaceChildren();
    if (i >= 0) {
      const label = data.codes[i] < 0 ? (data.labels.length ? "no label" : "") : data.labels[data.codes[i]];
      const thumb = data.thumbs ? data.thumbs[i] : -1;
      if (thumb >= 0 && sprite && sprite.complete) {
        const small = document.createElement("canvas"), [w, h] = data.sprite.sizes[thumb];
        const side = data.sprite.side, columns = data.sprite.columns;
        small.width = 3 * w;
        small.height = 3 * h;
        small.style.width = `${3 * w}px`;
        small.getContext("2d").drawImage(sprite, (thumb % columns) * side, Math.floor(thumb / columns) * side, w, h, 0, 0, 3 * w, 3 * h);
        tip.append(small);
      }
      const name = document.createElement("b"), what = document.createElement("span");
      name.textContent = data.names ? data.names[i] : `row ${data.rows[i]}`;
      what.textContent = label;
      tip.append(name, what);
      heard.textContent = `${name.textContent}${label ? ", " + label : ""}`;
    }
    redraw();
  }
  function nearest(x, y, within) {
    let best = -1, least = within * within;
    for (let i = 0; i < count; i++) {
      if (hidden.has(data.codes[i])) continue;
      const [px, py] = place(i), far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }
  const middle = () => (picked < 0 ? [width / 2, height / 2] : place(picked));
  function zoom(factor, [x, y] = middle()) {
    const next = Math.min(400 * fit(), Math.max(0.2 * fit(), view.scale * factor));
    view.x = x - ((x - view.x) * next) / view.scale;
    view.y = y - ((y - view.y) * next) / view.scale;
    view.scale = next;
    redraw();
  }
  function step(by) {
    for (let n = 1; n <= count; n++) {
      const i = (((picked < 0 ? (by > 0 ? -1 : 0) : picked) + by * n) % count + count) % count;
      if (hidden.has(data.codes[i])) continue;
      const [x, y] = place(i);
      if (x < 0 || y < 0 || x > width || y > height) {
        view.x += width / 2 - x;
        view.y += height / 2 - y;
      }
      return pick(i);
    }
  }

  const spot = (event) => [event.offsetX, event.offsetY];
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, spot(event));
    canvas.classList.add("held");
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = spot(event), before = held.get(event.pointerId);
    if (!before) return pick(nearest(x, y, 14));
    if (held.size === 1) {
      view.x += x - before[0];
      view.y += y - before[1];
    } else {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const gap = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      zoom(gap([x, y]) / gap(before), [(x + other[0]) / 2, (y + other[1]) / 2]);
    }
    held.set(event.pointerId, [x, y]);
    redraw();
  });
  const letGo = (event) => {
    held.delete(event.pointerId);
    if (!held.size) canvas.classList.remove("held");
  };
  canvas.addEventListener("pointerup", (event) => {
    letGo(event);
    pick(nearest(...spot(event), 18)); // a finger does not hover
  });
  canvas.addEventListener("pointercancel", letGo);
  canvas.addEventListener("pointerleave", () => held.size || pick(-1));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), spot(event));
  }, { passive: false });
  canvas.addEventListener("dblclick", () => { all(); redraw(); });
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) {
      view.x += moves[event.key][0];
      view.y += moves[event.key][1];
      redraw();
    } else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "0") { all(); redraw(); }
    else if (event.key === "." || event.key === "n") step(1);
    else if (event.key === "," || event.key === "p") step(-1);
    else if (event.key === "Escape") pick(-1);
    else return;
    event.preventDefault();
  });

  document.getElementById("closer").addEventListener("click", () => zoom(1.5));
  document.getElementById("farther").addEventListener("click", () => zoom(1 / 1.5));
  document.getElementById("whole").addEventListener("click", () => { all(); redraw(); });
  const methods = [...document.querySelectorAll("button[data-map]")];
  for (const button of methods) {
    button.addEventListener("click", () => {
      which = Number(button.dataset.map);
      for (const one of methods) one.setAttribute("aria-pressed", String(one === button));
      all();
      redraw();
    });
  }
  const legend = [...document.querySelectorAll("button[data-code]")];
  const paint = () => {
    for (const button of legend) button.querySelector("i").style.background = ink(Number(button.dataset.code));
    redraw();
  };
  for (const button of legend) {
    button.addEventListener("click", (event) => {
      const code = Number(button.dataset.code), codes = legend.map((one) => Number(one.dataset.code));
      if (event.shiftKey) {
        const alone = codes.every((one) => hidden.has(one) !== (one === code));
        for (const one of codes) alone || one === code ? hidden.delete(one) : hidden.add(one);
      } else if (!hidden.delete(code)) hidden.add(code);
      for (const one of legend) one.setAttribute("aria-pressed", String(!hidden.has(Number(one.dataset.code))));
      if (picked >= 0 && hidden.has(data.codes[picked])) pick(-1);
      redraw();
    });
  }
  dark.addEventListener("change", paint);
  new ResizeObserver(() => {
    const first = !width;
    width = stage.clientWidth;
    height = stage.clientHeight;
    if (first) all();
    redraw();
  }).observe(stage);
  paint();
})();
