"""What Janus's SDP needs that ours does not: an offer that leaves DTLS to it, an answer to its own offers. Pure."""

from server.bots.offer import Credentials, OfferPlan, build_offer

_COPIED = ("a=mid:", "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:", "a=extmap:", "a=rtcp-mux")


def publisher_offer(plan: OfferPlan, credentials: Credentials) -> str:
    """We are the DTLS client: asked ``actpass``, Janus would be (its answer is ``active``)."""
    return build_offer(plan, credentials).replace("a=setup:actpass", "a=setup:active")


def viewer_answer(offer: str, credentials: Credentials) -> str:
    """Take everything that Janus offers, receive-only, as DTLS client."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    in_media = False
    for line in offer.splitlines():
        if line.startswith("m="):
            kind, _, protocol, *formats = line[2:].split()
            in_media = True
            lines += [f"m={kind} 9 {protocol} {' '.join(formats)}", "c=IN IP4 0.0.0.0"]
            lines += [f"a=ice-ufrag:{credentials.ufrag}", f"a=ice-pwd:{credentials.pwd}"]
            lines += [f"a=fingerprint:{credentials.fingerprint}", "a=setup:active", "a=recvonly"]
        elif line.startswith("a=group:") or (in_media and line.startswith(_COPIED)):
            lines.append(line)
    return "\r\n".join(lines) + "\r\n"
