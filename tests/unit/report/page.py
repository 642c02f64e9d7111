#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages are well formed, closed to the world, and hold together.

    page.py UNIT-REPORT-HTML UNIT-REPORT-CONNECTIONS
"""
import base64
import hashlib
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "br"}
ELEMENTS = {
    "a", "article", "b", "bdi", "body", "br", "caption", "circle", "code", "dd", "defs", "details", "div", "dl",
    "dt", "footer", "g", "h1", "h2", "h3", "h4", "h5", "head", "header", "html", "li", "line", "main", "marker",
    "meta", "nav", "p", "path", "pre", "rect", "section", "small", "span", "style", "summary", "svg", "table",
    "tbody", "td", "text", "th", "thead", "time", "title", "tr", "ul", "use",
}
ATTRIBUTES = {
    "aria-hidden", "aria-label", "aria-labelledby", "charset", "class", "colspan", "content", "cx", "cy", "d",
    "datetime", "focusable", "height", "href", "http-equiv", "id", "lang", "marker-end", "markerheight",
    "markerunits", "markerwidth", "name", "open", "orient", "r", "refx", "refy", "role", "scope", "tabindex",
    "viewbox", "width", "x", "x1", "x2", "y", "y1", "y2",
}
# what a page must not hold as itself: controls, and what turns text around or hides it
DECEIT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.ids, self.links, self.policy, self.style = [], [], [], [], "", ""

    def handle_starttag(self, tag, attributes, empty=False):
        if tag not in ELEMENTS:
            self.wrong.append(f"element {tag}")
        for name, value in attributes:
            if name not in ATTRIBUTES:
                self.wrong.append(f"attribute {name} of {tag}")
            if name == "id":
                self.ids.append(value)
            if name in ("href", "aria-labelledby"):
                self.links.append(value.removeprefix("#"))
            if name == "marker-end":
                self.links.append(value[len("url(#"):-1])
            if name == "href" and not value.startswith("#"):
                self.wrong.append(f"leads outside: {value}")
        if ("http-equiv", "Content-Security-Policy") in attributes:
            self.policy = dict(attributes)["content"]
        if tag not in VOID and not empty:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes, empty=True)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data

    def complaints(self, text):
        yield from self.wrong
        if self.open:
            yield f"never closed: {self.open}"
        for one in {i for i in self.ids if self.ids.count(i) > 1}:
            yield f"id {one} twice"
        for one in set(self.links) - set(self.ids):
            yield f"leads nowhere: #{one}"
        digest = base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()
        if self.policy != f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'":
            yield f"policy: {self.policy}"
        if DECEIT.search(text):
            yield f"holds {DECEIT.search(text).group()!r}"


def complaints(text):
    page = Page()
    page.feed(text)
    page.close()
    return list(page.complaints(text))


# A page spoilt in each of these ways must be told from a good one.
SPOILT = [
    lambda t: t.replace("</table>", "", 1),
    lambda t: t.replace("</main>", "<script>1</script></main>"),
    lambda t: t.replace("<p ", "<p onclick=\"1\" ", 1),
    lambda t: t.replace("</style>", " </style>"),
    lambda t: t.replace('id="r1-e1"', 'id="r1-e99"'),
    lambda t: t.replace('href="#r1-way"', 'href="https://example.com/"'),
    lambda t: t.replace("</h2>", "\u202e</h2>"),
    lambda t: t.replace("</h2>", "\x1b</h2>"),
]


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for program in sys.argv[1:]:
            subprocess.run([program, "--write", folder], check=True)
        pages = sorted(Path(folder).glob("*.html"))
        for page in pages:
            for complaint in complaints(page.read_text(encoding="utf-8")):
                print(f"{page.name}: {complaint}")
                failed += 1
        good = (Path(folder) / "blocked.html").read_text()
        for i, spoil in enumerate(SPOILT):
            if not complaints(spoil(good)):
                print(f"spoilt in way {i}, and nothing is said")
                failed += 1
        if "exe.gpj" not in (Path(folder) / "connections-hostile.html").read_text():
            print("what a server said is not on the page")
            failed += 1
    print(f"{len(pages)} pages, {failed} complaints")
    return 1 if failed or len(pages) < 13 else 0


if __name__ == "__main__":
    sys.exit(main())
