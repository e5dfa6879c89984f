"""SVG pictures measured in headless Chromium: what every text and shape really covers.

`measure` gives for each picture a list of complaints: a text wider than its box, two things that overlap, something
outside the picture.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path

CHROMIUM = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)

# Text covers its letters, not the line height that getBBox gives: a sixth of the size is taken off above and below.
SCRIPT = """
const found = {};
for (const svg of document.querySelectorAll('svg')) {
  const name = svg.parentNode.dataset.name, bad = found[name] = [], view = svg.viewBox.baseVal;
  const things = [];
  for (const e of svg.querySelectorAll('text, rect[id], circle[id]')) {
    const b = e.getBBox(), text = e.tagName === 'text', cut = text ? parseFloat(e.getAttribute('font-size')) / 6 : 0;
    things.push({e, text, id: e.id, said: text ? e.textContent : e.tagName + '#' + e.id, inside: e.dataset.in || '',
                 x0: b.x, y0: b.y + cut, x1: b.x + b.width, y1: b.y + b.height - cut});
  }
  for (const t of things) {
    if (t.x0 < view.x || t.y0 < view.y || t.x1 > view.x + view.width || t.y1 > view.y + view.height)
      bad.push(t.said + ' is outside the picture');
    if (t.inside) {
      const box = svg.querySelector('[id="' + t.inside + '"]').getBBox();
      if (t.x0 < box.x || t.x1 > box.x + box.width || t.y0 < box.y - 1 || t.y1 > box.y + box.height + 1)
        bad.push(t.said + ' is larger than its box');
    }
  }
  for (let i = 0; i < things.length; i++) for (let j = 0; j < i; j++) {
    const a = things[i], b = things[j];
    if (a.inside && a.inside === b.id || b.inside && b.inside === a.id) continue;
    const w = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0), h = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
    if (w > 0.5 && h > 0.5) bad.push(a.said + ' overlaps ' + b.said + ' by ' + w.toFixed(1) + ' x ' + h.toFixed(1));
  }
  bad.unshift(things.length);
}
document.body.innerHTML = '<pre id="out"></pre>';
document.getElementById('out').textContent = JSON.stringify(found);
"""


def measure(pictures: Mapping[str, str], folder: Path) -> dict[str, tuple[int, list[str]]]:
    """For every picture how many texts and shapes were measured, and the complaints."""
    assert CHROMIUM is not None
    body = "\n".join(f'<div data-name="{name}">{text}</div>' for name, text in pictures.items())
    page = folder / "measure.html"
    page.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><body>{body}<script>{SCRIPT}</script></body>', encoding="utf-8"
    )
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, encoding="utf-8")
    match = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)
    assert match is not None, done.stderr[-2000:]
    found = json.loads(unescape(match[1]))
    return {name: (bad[0], bad[1:]) for name, bad in found.items()}
