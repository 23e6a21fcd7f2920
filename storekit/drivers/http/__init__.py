"""The http driver: images that a web server holds, to be read only."""

from storekit.drivers.http.driver import HttpDriver, Options

__all__ = ["HttpDriver", "Options"]
