"""Hosts: whose site an address is on, by the list of public suffixes that comes with a library."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any


@cache
def _extract() -> Any:
    from tldextract import TLDExtract

    return TLDExtract(cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True)  # never looked up


@lru_cache(2**14)
def _site(host: str) -> str:
    found = _extract()(host)
    site: str = found.top_domain_under_public_suffix or host
    return site.lower()


def outlet_of(url: str | None) -> str | None:
    """The site of an address: `news.example.co.uk/a` is on `example.co.uk`; None without a host."""
    from urllib.parse import urlsplit

    if not isinstance(url, str):
        return None
    try:
        host = urlsplit(url.strip()).hostname
    except ValueError:
        return None
    return _site(host.rstrip(".")) if host else None


def plain(url: str) -> str:
    """An address without what does not tell pages apart: scheme, `www.`, fragment and a last slash."""
    rest = url.strip().partition("#")[0]
    rest = rest.partition("://")[2] or rest
    host, slash, path = rest.partition("/")
    return f"{host.lower().removeprefix('www.')}{slash}{path}".rstrip("/")
