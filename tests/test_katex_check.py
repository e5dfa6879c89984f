"""The reader of .tex files (tools/katex_check.py): every formula is found where it is, and nothing else."""

import shutil

import pytest
from katex_check import definitions, extract, install_katex, main, typeset

DOCUMENT = r"""\documentclass{article}
\usepackage{amsmath,amssymb}
\DeclareMathOperator{\tr}{tr}
\newcommand{\loss}{\mathcal{E}}
\begin{document}
Costs 5\,\$ for \(x_1\), $y^2$ and % not $this
\begin{align*}
  z &= W a + b \\[2pt]   % a break, no display
  \loss &= \tr(\begin{aligned} a \end{aligned})
\end{align*}
\[ f(x) = 0 \text{ if $x > 0$} \] \verb|a_b| \label{eq:a_b}
\begin{verbatim} a_b $ \end{verbatim}
\begin{gather*} a \end{gather*} $$ b $$
\end{document}
"""


def test_every_formula_is_found() -> None:
    formulae, complaints = extract(DOCUMENT)
    assert complaints == []
    assert [(f.tex.split()[0], f.display) for f in formulae] == [
        ("x_1", False),
        ("y^2", False),
        (r"\begin{align*}", True),
        ("f(x)", True),
        (r"\begin{gather*}", True),
        ("b", True),
    ]
    assert all(DOCUMENT.startswith(f.tex, f.offset) for f in formulae)


def test_definitions_are_carried_over() -> None:
    assert definitions(DOCUMENT).splitlines() == [
        r"\newcommand{\loss}{\mathcal{E}}",
        r"\newcommand{\tr}{\operatorname{tr}}",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (r"so \[ x", r"\[ is never closed"),
        (r"so \begin{align*} x", "align* is never closed"),
        (r"x \]", r"\] closes nothing"),
        (r"x \end{align*}", r"\end{align*} closes nothing"),
        ("the x_1 of", "_ in running text"),
        (r"\begin{aligned} x \end{aligned}", r"\begin{aligned} stands outside a formula"),
        (r"\(∇x\)", "∇ (U+2207) means nothing to pdfLaTeX"),
    ],
)
def test_what_is_wrong_around_a_formula(text: str, complaint: str) -> None:
    assert [c.message for c in extract(text)[1]] == [complaint]


def test_a_declared_symbol_is_no_foreigner() -> None:
    assert extract(r"\DeclareUnicodeCharacter{2207}{\nabla} \(∇\) % ⊙ Gauß – Müller")[1] == []


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="no npm")
def test_katex_judges() -> None:
    install_katex()
    good, bad = DOCUMENT, DOCUMENT.replace("+ b", r"+ \nonsense")
    assert typeset(good, extract(good)[0]) == []
    [complaint] = typeset(bad, extract(bad)[0])
    assert "nonsense" in complaint.message
    assert bad.count("\n", 0, complaint.offset) + 1 == 8


def test_nothing_to_do(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no .tex files to typeset\n"
