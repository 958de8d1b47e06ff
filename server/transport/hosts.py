"""Which addresses stand in our candidates."""

import ipaddress

import ifaddr

_WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound


def candidate_hosts(host: str, announce: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses to offer, the best first: announced ones (NAT), then the bound one or all of the machine's.

    Of a wildcard, loopback comes last (a browser on the server itself) and link-local addresses are left out.
    """
    own = _machine_hosts(with_ipv6=host == "::") or ["127.0.0.1"] if host in _WILDCARDS else [host]
    return tuple(dict.fromkeys([*announce, *own]))


def _machine_hosts(*, with_ipv6: bool) -> list[str]:
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text)
            if not address.is_link_local and (with_ipv6 or address.version == 4):
                found.append(address)
    return [str(address) for address in sorted(found, key=lambda address: (address.is_loopback, address.version))]
