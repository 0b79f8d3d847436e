"""`python -m examples.own_stock_ledger.receive SKU PIECES`: more to sell."""

import argparse
from contextlib import closing

from examples.own_stock_ledger.parties import StockSettings
from examples.own_stock_ledger.stock_file import StockFile


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("sku")
    options.add_argument("pieces", type=int)
    options.add_argument("--on-payment", action="store_true", help="its merchant lets only the payment take it")
    given = options.parse_args()
    with closing(StockFile(StockSettings().file)) as file:
        file.receive(given.sku, given.pieces, on_payment=given.on_payment)


if __name__ == "__main__":
    main()
