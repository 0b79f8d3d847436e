"""What the gateway's routes and the command line stand on."""

from dataclasses import dataclass

from temporalio.client import Client

from gateway.acts import Acts
from gateway.after_sales import AfterSales
from gateway.checkout import Checkout
from store.case_views import PostgresCaseViews
from store.inbox import PostgresInbox
from store.order_book import PostgresOrderBook
from store.ownership import PostgresOwnership
from store.refunds import PostgresRefunds
from store.views import PostgresViews


@dataclass(frozen=True)
class Front:
    client: Client
    checkout: Checkout
    acts: Acts
    after_sales: AfterSales
    cases: PostgresCaseViews
    views: PostgresViews
    inbox: PostgresInbox
    book: PostgresOrderBook
    owners: PostgresOwnership
    refunds: PostgresRefunds
