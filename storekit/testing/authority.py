"""Authority: certificates to be thrown away, for servers that a case runs. Needs trustme."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from storekit.testing.case import NotRun

__all__ = ["Authority"]

_PAST = datetime(2020, 1, 1, tzinfo=UTC)


class Authority:
    """One that certifies servers. Nobody trusts it who is not told to.

    Raises:
        NotRun: The library that makes certificates is not installed.
    """

    def __init__(self) -> None:
        try:
            import trustme  # noqa: PLC0415 - only cases about TLS need it
        except ImportError:
            raise NotRun("trustme is missing: pip install 'storekit[testing]'") from None
        self._ca = trustme.CA()

    @property
    def certificate(self) -> bytes:
        """What a client must trust: its own certificate, PEM."""
        return self._ca.cert_pem.bytes()

    def server(self, host: str, *, expired: bool = False) -> ssl.SSLContext:
        """Certify a server.

        Args:
            host: Its name or address.
            expired: Whether the certificate ran out years ago.

        Returns:
            What the server needs.
        """
        issued = self._ca.issue_cert(host, not_after=_PAST if expired else None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        return context
