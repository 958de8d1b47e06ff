"""Which addresses stand in the candidates."""

import ipaddress

from server.transport.hosts import candidate_hosts


def test_a_bound_address_stands_alone() -> None:
    assert candidate_hosts("192.0.2.7", ()) == ("192.0.2.7",)


def test_announced_addresses_come_first_and_once() -> None:
    assert candidate_hosts("192.0.2.7", ("203.0.113.1", "192.0.2.7")) == ("203.0.113.1", "192.0.2.7")


def test_a_wildcard_is_the_machine_with_loopback_last() -> None:
    hosts = candidate_hosts("0.0.0.0", ("203.0.113.1",))
    assert hosts[0] == "203.0.113.1"
    assert hosts[-1] == "127.0.0.1"
    assert all(ipaddress.ip_address(host).version == 4 for host in hosts)


def test_the_double_wildcard_has_ipv6_too_but_no_link_local_address() -> None:
    addresses = [ipaddress.ip_address(host) for host in candidate_hosts("::", ())]
    assert ipaddress.ip_address("127.0.0.1") in addresses
    assert not any(address.is_link_local for address in addresses)
    assert [address.is_loopback for address in addresses] == sorted(address.is_loopback for address in addresses)
