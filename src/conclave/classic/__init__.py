"""The classic suite: the six phases of the report that Conclave starts from. Legacy cryptography, off by default.

Read ``state`` for the handshake's order, ``keys`` and ``records`` for what protects the words, ``machine`` for the
whole connection, ``desk`` for what people do with it. Its weaknesses are kept, and told in ``docs/report.md``.
"""
