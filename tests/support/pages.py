"""The pages that people read: the README in both languages, the docs, the examples' pages."""

from tests.support.servers import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("examples/**/*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
