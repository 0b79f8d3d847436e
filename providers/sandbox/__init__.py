"""The outside parties in one service that behaves like them: a payment provider with a cashier page and signed
notifications, merchants' warehouses, and an address for alarms. It holds no real money.

    python -m providers.sandbox --port 8099 --state sandbox.db --notify-url URL --webhook-secret whsec_...
"""
