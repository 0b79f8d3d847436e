"""`starter.py quote FILE`: a quote without a server; `-` reads standard input.

rich is imported only for the table, so that a program which asks for JSON does not wait for it.
"""

import sys
from pathlib import Path

from domain.quote.answer import QuoteAnswer, quote, read_quote_document
from domain.quote.document import QuoteDocument
from domain.strict_json import BadInput

BAD_INPUT = 2
MAX_BYTES = 32 * 1024 * 1024


def run(file: str, as_json: bool) -> int:
    """Answer the document in `file` on standard output, and return the exit status. Bad input is one line on standard
    error."""
    try:
        document = read_quote_document(_read(file))
        answer = quote(document)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    if as_json:
        sys.stdout.write(answer.model_dump_json(indent=2) + "\n")
    else:
        _show(document, answer)
    return 0


def _read(file: str) -> bytes:
    try:
        if file == "-":
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                text = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a file name with a null byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        problem = f"can't be read ({reason}); name a readable file, or - for standard input"
        raise BadInput(repr(file), problem) from None
    if len(text) > MAX_BYTES:
        raise BadInput(repr(file), f"is larger than {MAX_BYTES >> 20} MiB; ask for less at once")
    return text


def _show(document: QuoteDocument, answer: QuoteAnswer) -> None:
    from cli.quote_table import show

    show(document, answer)
