"""All that a party may do and see, in one object: what the gateway's routes and the command line call."""

from dataclasses import dataclass

from temporalio.client import Client

from acts.acts import Acts
from acts.after_sales import AfterSales
from acts.checkout import Checkout
from store.after_sale.refunds import PostgresRefunds
from store.after_sale.views import PostgresCaseViews
from store.money.inbox import PostgresInbox
from store.orders.ownership import PostgresOwnership
from store.orders.views import PostgresViews


@dataclass(frozen=True)
class Front:
    client: Client
    checkout: Checkout
    acts: Acts
    after_sales: AfterSales
    cases: PostgresCaseViews
    views: PostgresViews
    inbox: PostgresInbox
    owners: PostgresOwnership
    refunds: PostgresRefunds
