"""What Sphinx does for the course's site beyond its own: MathML, and each picture's text alternative.

Loaded by Sphinx as an extension (`site.py` names it); depends on nothing of the lessons.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import latex2mathml.converter
from docutils import nodes
from pygments.styles.default import DefaultStyle
from pygments.token import Comment, Generic, Keyword, Literal, Name, Operator, String

__all__ = ["Light", "mathml", "setup"]


class Light(DefaultStyle):
    """Colours of code on a light ground, each with a contrast of 4.5 or more."""

    background_color = "#f8f8f8"
    styles = {
        **DefaultStyle.styles,
        Comment: "italic #4f6470",
        Keyword: "bold #00627a",
        Keyword.Type: "#8b1a3a",
        Operator: "#4d4d4d",
        Operator.Word: "bold #7a1fa2",
        Name.Attribute: "#4f5d00",
        Name.Builtin: "#00627a",
        Name.Function: "#0000d0",
        Name.Class: "bold #0000d0",
        Name.Decorator: "#7a1fa2",
        Name.Variable: "#19177c",
        String: "#a31515",
        String.Doc: "italic #a31515",
        String.Escape: "bold #7a4a00",
        String.Interpol: "bold #7a3b52",
        String.Regex: "#7a3b52",
        Literal.Number: "#3b5b00",
        Generic.Output: "#4d4d4d",
        Generic.Prompt: "bold #000080",
    }


def mathml(latex: str, *, block: bool) -> str:
    """A formula in LaTeX as MathML, which browsers draw by themselves, without a script or a font.

    Raises:
        ValueError: if `latex` holds a command that is not known.
    """
    text = re.sub(r"\\(?:b|B)igg?([lrm]?)\b", "", latex.strip())
    converted = latex2mathml.converter.convert(text, display="block" if block else "inline")
    unknown = re.search(r"<m[io]>(\\[A-Za-z]+)</m[io]>", converted)
    if unknown:
        raise ValueError(f"formula: {unknown.group(1)} is not known to latex2mathml in {latex!r}")
    return converted


def _inline(translator, node) -> None:
    translator.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _display(translator, node) -> None:
    translator.body.append(f'<div class="math" tabindex="0">{mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def _describe_pictures(app, doctree, _name) -> None:
    """Give each picture among the outputs its text alternative; MyST-NB names a file by the hash of its bytes."""
    texts = app.env.temp_data.get("alternatives")
    if texts is None:
        texts = json.loads(Path(app.srcdir, "alternatives.json").read_text(encoding="utf-8"))
        app.env.temp_data["alternatives"] = texts
    for image in doctree.findall(nodes.image):
        text = texts.get(Path(image["uri"]).stem)
        if text:
            image["alt"] = text


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    app.connect("doctree-resolved", _describe_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
