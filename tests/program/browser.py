#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of --html in a real browser: it renders, fits, can be read, loads and runs nothing.

    browser.py PAGE...                  checks each page
    browser.py --pictures DIR PAGE...   keeps a picture of each as well, to be looked at

Chromium is driven through a pipe (its DevTools protocol); it opens files only. Where it is not
installed the test is skipped.
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIP = 77
PHONE, TABLET, DESKTOP = (320, 640), (600, 900), (1280, 900)
CONTRAST = 4.5  # WCAG 2.1, 1.4.3 (AA)

# What the page must be, asked of the browser itself.
QUESTIONS = """(() => {
  const luminance = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 :
      Math.pow((v + 0.055) / 1.055, 2.4)); return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const colour = s => { const m = s.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const behind = e => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const pale = [];
  const wide = [...document.body.querySelectorAll('*')].filter(e => !e.closest('.scroll *, svg *, .hidden') &&
      e.getBoundingClientRect().right > WIDTH + 1).map(e => e.outerHTML.slice(0, 60));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  if (document.documentElement.scrollWidth > WIDTH) wide.push('page: ' + document.documentElement.scrollWidth);
  let letters = 0;
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement, s = getComputedStyle(e);
    if (!n.data.trim() || e.closest('.hidden, svg.heads') || !e.checkVisibility()) continue;
    letters += n.data.trim().length;
    const front = e.closest('svg') ? s.fill : s.color;
    const [a, b] = [luminance(colour(front)), luminance(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < %s) pale.push([n.data.trim().slice(0, 40), ratio.toFixed(2)]);
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  return JSON.stringify({
    wide: wide.slice(0, 3), pale: pale.slice(0, 5), letters,
    styled: getComputedStyle(document.querySelector('h2')).marginTop !== '' &&
            getComputedStyle(document.body).margin === '0px',
    dead: [...document.querySelectorAll('a[href], use[href]')].map(e => e.getAttribute('href'))
        .filter(x => !x.startsWith('#') || !document.getElementById(x.slice(1))),
    twice: ids.filter((x, i) => ids.indexOf(x) !== i),
    active: document.querySelectorAll('script, iframe, object, embed, img, link, form, base, [style], [onclick], [onerror], [onload]').length,
    headings: [...document.querySelectorAll('h1, h2, h3, h4, h5')].map(e => +e.tagName[1]),
    tables: [...document.querySelectorAll('table')].filter(t => !t.querySelector('th[scope]')).length,
    fetched: performance.getEntriesByType('resource').map(e => e.name),
  });
})()""" % CONTRAST


class Browser:
    def __init__(self, program, profile):
        theirs_in, self.out = os.pipe()
        self.inp, theirs_out = os.pipe()

        def fds():
            # 3 and 4 are where the protocol speaks; the pipes may have these very numbers
            reading, writing = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}",
             "about:blank"],
            preexec_fn=fds, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.rest, self.events = 0, b"", []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Network", "Runtime"):
            self.ask(domain + ".enable")

    def message(self):
        while b"\0" not in self.rest:
            data = os.read(self.inp, 1 << 20)
            if not data:
                raise RuntimeError("the browser is gone")
            self.rest += data
        one, _, self.rest = self.rest.partition(b"\0")
        return json.loads(one)

    def ask(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if hasattr(self, "session"):
            request["sessionId"] = self.session
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("id") == self.number:
                if "error" in m:
                    raise RuntimeError(f"{method}: {m['error']}")
                return m["result"]
            self.events.append(m)

    def open(self, url):
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.message())

    def size(self, width, height, phone):
        self.width = width
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=2 if phone else 1, mobile=phone)

    def media(self, kind, scheme):
        self.ask("Emulation.setEmulatedMedia", media=kind,
                 features=[{"name": "prefers-color-scheme", "value": scheme}])

    def questions(self):
        result = self.ask("Runtime.evaluate", expression=QUESTIONS.replace("WIDTH", str(self.width)))
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return json.loads(result["result"]["value"])

    def pictures(self, stem, part=1600):
        """The whole page, in pieces that an eye can take in."""
        s = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        for i, y in enumerate(range(0, min(int(s["height"]), 10 * part), part)):
            shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True,
                            clip=dict(x=0, y=y, scale=1, width=s["width"],
                                      height=min(part, s["height"] - y)))
            Path(f"{stem}.{i}.png").write_bytes(base64.b64decode(shot["data"]))

    def complaints(self):
        """Violations of the page's policy, errors, and everything that was asked of a network."""
        for e in self.events:
            if e.get("method") == "Log.entryAdded":
                yield e["params"]["entry"]["text"]
            if e.get("method") == "Network.requestWillBeSent":
                url = e["params"]["request"]["url"]
                if not url.startswith("file:"):
                    yield "asks for " + url

    def end(self):
        try:
            self.ask("Browser.close")
        except (OSError, RuntimeError):
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def in_order(headings):
    """No level is left out on the way down."""
    return headings[:1] == [1] and all(b <= a + 1 for a, b in zip(headings, headings[1:]))


def check_look(a, where):
    if a["wide"]:
        yield f"{where}: wider than the window: {a['wide']}"
    if a["pale"]:
        yield f"{where}: too pale to be read: {a['pale']}"


def check(browser, page, pictures):
    browser.size(*DESKTOP, False)
    browser.media("", "light")
    browser.open(page.absolute().as_uri())
    a = browser.questions()
    yield from browser.complaints()
    if a["letters"] < 200 or not a["styled"]:
        yield f"hardly anything to see: {a}"
    for what in ("dead", "twice", "active", "tables", "fetched"):
        if a[what]:
            yield f"{what}: {a[what]}"
    if not in_order(a["headings"]):
        yield f"headings: {a['headings']}"
    looks = [("phone", PHONE, "", "light"), ("phone-dark", PHONE, "", "dark"), ("tablet", TABLET, "", "light"),
             ("desktop", DESKTOP, "", "light"), ("dark", DESKTOP, "", "dark"), ("print", DESKTOP, "print", "dark")]
    for name, size, kind, scheme in looks:
        browser.size(*size, size == PHONE)
        browser.media(kind, scheme)
        yield from check_look(browser.questions(), name)
        if pictures:
            browser.pictures(pictures / f"{page.stem}.{name}")
    browser.media("", "light")
    paper = base64.b64decode(browser.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])
    if not paper.startswith(b"%PDF"):
        yield "it can't be printed"
    if pictures:
        (pictures / f"{page.stem}.pdf").write_bytes(paper)


def broken(page, folder):
    """The same page with a script, a foreign picture and a changed style: the policy must say no."""
    text = page.read_text()
    text = text.replace("</style>", "h2 { color: red }</style>", 1)
    text = text.replace("</main>", "<script>document.title = 'ran'</script><img src='x.png'></main>", 1)
    bad = Path(folder) / "broken.html"
    bad.write_text(text)
    return bad


def main():
    args, pictures = sys.argv[1:], None
    if args[:1] == ["--pictures"]:
        pictures = Path(args[1])
        pictures.mkdir(parents=True, exist_ok=True)
        args = args[2:]
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        print("skipped: no Chromium here (package chromium)")
        return SKIP
    failed = 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(program, os.path.join(folder, "profile"))
        try:
            for name in args:
                for complaint in check(browser, Path(name), pictures):
                    print(f"{name}: {complaint}")
                    failed += 1
            browser.open(broken(Path(args[0]), folder).as_uri())
            refused = [c for c in browser.complaints() if "Content Security Policy" in c]
            ran = browser.ask("Runtime.evaluate", expression="document.title")["result"]["value"] == "ran"
            if len(refused) < 3 or ran:
                print(f"the policy lets through what it should not: {refused}")
                failed += 1
        finally:
            browser.end()
    print(f"{len(args)} pages, {failed} complaints")
    return 1 if failed or not args else 0


if __name__ == "__main__":
    sys.exit(main())
