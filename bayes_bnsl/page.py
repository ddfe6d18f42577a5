"""Markdown as one page of HTML that needs no other file, and no network."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

from markdown_it import MarkdownIt
from markdown_it.token import Token

__all__ = ["html_page"]

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --line: #d5d8dc; --tint: #f3f4f6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #dfe1e5; --paper: #16181b; --line: #3a3e44; --tint: #22252a; }
}
body { margin: 0 auto; max-width: 46rem; padding: 1rem; overflow-wrap: anywhere;
  color: var(--ink); background: var(--paper); font: 1rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
code { padding: .1em .3em; border-radius: .25em; background: var(--tint); font-size: .9em; }
.wide { overflow-x: auto; overflow-wrap: normal; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { text-align: left; }
img { display: block; max-width: 100%; height: auto; border-radius: .4rem; background: #fff; }
"""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}</body>
</html>
"""


def html_page(text: str, pictures: Mapping[str, bytes]) -> str:
    """Turn a text in Markdown into a page for screens of any size, light or dark.

    Parameters
    ----------
    text : str
        The text. HTML in it is shown as it is written, and so are links; formulas between double
        dollars are left out, since a page that needs nothing else cannot draw them.
    pictures : mapping of str to bytes
        PNG pictures by the path that stands for them in the text; they become part of the page.

    Returns
    -------
    str
        The page.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.disable(["autolink", "link", "reference"])
    tokens = parser.parse(text)
    formulas = {i for i, token in enumerate(tokens) if token.content.startswith("$$")}
    around = {i + k for i in formulas for k in (-1, 0, 1)}  # the paragraph that each stands in
    kept = [token for i, token in enumerate(tokens) if i not in around]
    for token in kept:
        if token.children:
            token.children = [_embedded(child, pictures) for child in token.children]
    body = parser.renderer.render(kept, parser.options, {})
    body = body.replace("<table>", '<div class="wide"><table>')
    body = body.replace("</table>", "</table></div>")
    return PAGE.format(title=_title(kept), style=STYLE, body=body)


def _embedded(token: Token, pictures: Mapping[str, bytes]) -> Token:
    """Put a picture into the page; one that is not given stays what was written."""
    if token.type != "image":
        return token
    picture = pictures.get(str(token.attrs["src"]))
    if picture is None:
        return Token("text", "", 0, content=token.content)
    token.attrs["src"] = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return token


def _title(tokens: list[Token]) -> str:
    """Return the text of the first heading."""
    heading = next((i for i, token in enumerate(tokens) if token.type == "heading_open"), None)
    if heading is None:
        return ""
    return html.escape("".join(child.content for child in tokens[heading + 1].children or ()))
