"""TLS towards brokers, stores and whoever is told: certificates are always verified, and nothing below TLS 1.2 is
spoken. There is no setting that turns it off.
"""

from __future__ import annotations

import ssl
from pathlib import Path


def verifying_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """A client's context that trusts the authorities of ``ca_file``, else those of the system or of SSL_CERT_FILE.

    It asks for a valid certificate and for the host's name in it. OSError where the file cannot be read or used.
    """
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # whatever the system's own settings allow
    return context
