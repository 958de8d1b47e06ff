"""The answer's lines. What is in it was decided by ``transport.sdp``; here it is only written down (RFC 8866, 8839)."""

import msgspec

from server.sfu.ports import Kind, SlotSpec, UplinkSpec
from server.transport.codecs import ChosenCodec
from server.transport.dtls import Fingerprint
from server.transport.ice import Credentials
from server.transport.offer import Offer, OfferedSection

_CNAME = "diemcau"


class LocalDescription(msgspec.Struct, frozen=True):
    """Our side of an answer. ``hosts`` are candidate addresses, the best first; all on ``port``, with ``tcp`` over TCP
    too."""

    credentials: Credentials
    fingerprint: Fingerprint
    hosts: tuple[str, ...]
    port: int
    session_id: int
    tcp: bool = False


class SectionPlan(msgspec.Struct, frozen=True):
    """What becomes of an accepted m-section; neither uplink nor slot: inactive. ``mid`` is the one we use for it."""

    mid: str
    codecs: tuple[ChosenCodec, ...]
    extmaps: tuple[str, ...]
    uplink: UplinkSpec | None
    slot: SlotSpec | None

    @property
    def direction(self) -> str:
        if self.uplink is not None:
            return "recvonly" if self.slot is None else "sendrecv"
        return "inactive" if self.slot is None else "sendonly"


def write_answer(offer: Offer, plans: dict[int, SectionPlan], local: LocalDescription, max_bitrate_bps: int) -> str:
    """The whole answer. ``plans``: accepted sections by their place, the BUNDLE tag first; the others get port 0."""
    lines = ["v=0", f"o=- {local.session_id} 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=ice-lite"]
    if offer.bundle:
        lines.append("a=group:BUNDLE " + " ".join(plan.mid for plan in plans.values()))
    lines.append("a=msid-semantic: WMS *")
    for place, section in enumerate(offer.sections):
        plan = plans.get(place)
        if plan is None:
            lines += _refused(section)
        else:
            lines += _head(section, plan, local, max_bitrate_bps)
            lines += transport_lines(local)
            lines += _media(plan)
    return "\r\n".join(lines) + "\r\n"


def transport_lines(local: LocalDescription) -> list[str]:
    """ICE and DTLS of one section.

    The BUNDLE tag's candidates would be enough (RFC 8843 7.3), but aiortc takes only those of the last section of a
    transport, and then has none.
    """
    lines = [f"a=ice-ufrag:{local.credentials.ufrag}", f"a=ice-pwd:{local.credentials.password}"]
    lines += [f"a=fingerprint:{local.fingerprint.algorithm} {local.fingerprint.value}", "a=setup:passive"]
    return [*lines, *candidate_lines(local)]


def candidate_lines(local: LocalDescription) -> list[str]:
    """Host candidates (RFC 8839 5.1), priorities falling in the order of ``hosts`` (RFC 8445 5.1.2.1)."""
    lines = []
    for index, host in enumerate(local.hosts):
        priority = (126 << 24) | ((65_535 - index) << 8) | 255
        lines.append(f"a=candidate:{index + 1} 1 udp {priority} {host} {local.port} typ host")
    for index, host in enumerate(local.hosts if local.tcp else ()):
        priority = (90 << 24) | ((65_535 - index) << 8) | 255  # below every UDP one (RFC 6544 4.2)
        foundation = len(local.hosts) + index + 1
        lines.append(f"a=candidate:{foundation} 1 tcp {priority} {host} {local.port} typ host tcptype passive")
    return [*lines, "a=end-of-candidates"]


def _refused(section: OfferedSection) -> list[str]:
    lines = [f"m={section.kind} 0 {section.protocol} {' '.join(section.formats)}", "c=IN IP4 0.0.0.0", "a=inactive"]
    return [*lines, f"a=mid:{section.mid}"] if section.mid else lines


def _head(section: OfferedSection, plan: SectionPlan, local: LocalDescription, max_bitrate_bps: int) -> list[str]:
    payload_types: list[str] = []
    for choice in plan.codecs:
        payload_types += [str(number) for number in choice.payload_types]
    host = local.hosts[0]
    lines = [
        f"m={section.kind} {local.port} {section.protocol} {' '.join(payload_types)}",
        f"c=IN {'IP6' if ':' in host else 'IP4'} {host}",
    ]
    if plan.uplink is not None and plan.uplink.kind is Kind.VIDEO:
        lines += [f"b=AS:{max_bitrate_bps // 1000}", f"b=TIAS:{max_bitrate_bps}"]
    if section.mid:
        lines.append(f"a=mid:{section.mid}")
    lines += [f"a={plan.direction}", "a=rtcp-mux"]
    if section.rtcp_rsize:
        lines.append("a=rtcp-rsize")
    return lines


def _media(plan: SectionPlan) -> list[str]:
    lines = [f"a=extmap:{extmap}" for extmap in plan.extmaps]
    for choice in plan.codecs:
        lines += choice.lines()
    if plan.uplink is not None and plan.uplink.rids:
        lines += [f"a=rid:{rid} recv" for rid in plan.uplink.rids]
        lines.append(f"a=simulcast:recv {';'.join(plan.uplink.rids)}")
    if plan.slot is not None:
        lines += _slot(plan.slot)
    return lines


def _slot(slot: SlotSpec) -> list[str]:
    # Browsers keep lips in step within one stream: the n-th picture and the n-th sound belong together.
    msid = f"slot{slot.index} {slot.kind}{slot.index}"
    lines = [f"a=msid:{msid}"]
    ssrcs = [slot.ssrc]
    if slot.rtx_ssrc:
        ssrcs.append(slot.rtx_ssrc)
        lines.append(f"a=ssrc-group:FID {slot.ssrc} {slot.rtx_ssrc}")
    for ssrc in ssrcs:
        lines += [f"a=ssrc:{ssrc} cname:{_CNAME}", f"a=ssrc:{ssrc} msid:{msid}"]
    return lines
