"""Servers of their own for the tests that kill them."""

from tests.support.own_servers import bare_environment, made_once, postgres, temporal, tmp_path

__all__ = ["bare_environment", "made_once", "postgres", "temporal", "tmp_path"]
