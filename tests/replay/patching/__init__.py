"""A worked example of a change to a story behind a patch; docs/changing-a-story.md tells it."""

from pathlib import Path

HISTORIES = Path(__file__).parent / "histories"
