"""Self-contained HTML pages: no request leaves them."""
