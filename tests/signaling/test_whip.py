"""WHIP and WHEP over HTTP (RFC 9725), with the real transport behind; SCENARIOS row 24 for what is offered."""

import re

import pytest

from server.bots.offer import Credentials, OfferPlan, SendTrack, build_offer
from server.config import HttpConfig
from server.room.commands import SetLobby
from server.room.views import Presence
from server.sfu.ports import TrackLabel
from server.signaling import messages
from server.signaling.problems import HttpRefusal
from server.signaling.whip import ICE_TAGS, IceTags
from tests.signaling.conftest import OpenHouse
from tests.signaling.house import House

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
CREDENTIALS = Credentials("abcd", "x" * 24, FINGERPRINT)
PUBLISH = build_offer(
    OfferPlan(
        sends=(
            SendTrack("0", TrackLabel.MIC, (("", 1111, 0),)),
            SendTrack("1", TrackLabel.CAMERA, (("", 2222, 2223),)),
        ),
        audio_slots=0,
        video_slots=0,
    ),
    CREDENTIALS,
)
VIEW = build_offer(OfferPlan(sends=(), audio_slots=1, video_slots=1), CREDENTIALS)
SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
TRICKLE = "a=ice-ufrag:abcd\r\na=ice-pwd:" + "x" * 24 + "\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
RESTART = TRICKLE.replace("abcd", "efgh").replace("x" * 24, "y" * 24)


async def open_session(house: House, kind: str = "whip", who: str = "endpoint1") -> tuple[str, str]:
    """Path and entity tag of a new session."""
    offer = PUBLISH if kind == "whip" else VIEW
    async with house.ask("POST", f"{house.meeting}/{kind}", who, data=offer, headers=SDP) as response:
        assert response.status == 201, await response.text()
        base = f"http://{house.base.authority}"
        location = response.headers["Location"]
        assert location.startswith(f"{base}{house.meeting}/{kind}/"), "absolute, for ffmpeg"
        return location.removeprefix(base), response.headers["ETag"]


async def presence(house: House, number: int) -> Presence:
    room = await house.hub.view(house.demo.meeting)
    return next(seat.presence for seat in room.seats if seat.seat_id == house.seat(number))


@pytest.mark.parametrize(("kind", "offer"), [("whip", PUBLISH), ("whep", VIEW)])
async def test_open_and_end(house: House, kind: str, offer: str) -> None:
    async with house.ask("POST", f"{house.meeting}/{kind}", "endpoint1", data=offer, headers=SDP) as response:
        assert response.status == 201
        assert response.content_type == "application/sdp"
        assert re.fullmatch(r'"[0-9a-f]{24}"', response.headers["ETag"])
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        location = response.headers["Location"]
        answer = await response.text()
    assert "a=ice-lite" in answer
    assert "a=setup:passive" in answer
    assert ("a=ssrc:" in answer) == (kind == "whep"), "a slot's SSRC is named"
    assert await presence(house, 1) is Presence.PRESENT
    async with house.http.delete(location, headers={"Authorization": f"Bearer {house.token('endpoint1')}"}) as response:
        assert response.status == 200
    assert await presence(house, 1) is Presence.ABSENT
    path = location.removeprefix(f"http://{house.base.authority}")
    assert await house.problem("DELETE", path, "endpoint1") == (404, "no_such_session")


async def test_trickle_and_restart(house: House) -> None:
    path, tag = await open_session(house)

    async def patch(fragment: str, if_match: str) -> tuple[int, str | None, str]:
        headers = FRAGMENT | {"If-Match": if_match}
        async with house.ask("PATCH", path, "endpoint1", data=fragment, headers=headers) as response:
            return response.status, response.headers.get("ETag"), await response.text()

    assert await patch(TRICKLE, tag) == (204, None, "")
    assert await patch("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", f'"other", {tag}') == (204, None, "")
    status, new_tag, answer = await patch(RESTART, "*")
    assert status == 200
    assert "a=ice-ufrag:" in answer
    assert new_tag not in (None, tag)
    assert await house.problem("PATCH", path, "endpoint1", data=TRICKLE, headers=FRAGMENT | {"If-Match": tag}) == (
        412,
        "ice_session_changed",
    ), "late candidates of the old ICE session (RFC 9725 4.3.1)"
    assert await house.problem("PATCH", path, "endpoint1", data=TRICKLE, headers=FRAGMENT) == (428, "if_match_missing")
    assert await house.problem(
        "PATCH", path, "endpoint1", data="a=ice-ufrag:\r\n", headers=FRAGMENT | {"If-Match": "*"}
    ) == (400, "bad_sdp")
    async with house.ask("PATCH", path, "endpoint1", data=TRICKLE, headers=SDP) as response:
        assert response.status == 415
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"


async def test_sessions_are_ones_own(house: House) -> None:
    path, tag = await open_session(house)
    for who in ("endpoint2", "chair", "operator"):
        assert await house.problem("DELETE", path, who) == (404, "no_such_session")
        assert await house.problem("PATCH", path, who, data=RESTART, headers=FRAGMENT | {"If-Match": tag}) == (
            404,
            "no_such_session",
        )
    assert await house.problem("DELETE", path) == (401, "not_signed_in")
    assert await presence(house, 1) is Presence.PRESENT


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "POST"])
async def test_methods_that_a_session_does_not_know(house: House, method: str) -> None:
    path, _ = await open_session(house)
    async with house.ask(method, path, "endpoint1") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"PATCH", "DELETE", "OPTIONS"}


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_options_and_other_origins(house: House, kind: str) -> None:
    async with house.ask(
        "OPTIONS",
        f"{house.meeting}/{kind}",
        headers={"Origin": "https://studio.example", "Access-Control-Request-Method": "POST"},
    ) as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response.headers, "the cookie is never sent here"
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    async with house.ask("POST", f"{house.meeting}/{kind}", headers={"Origin": "https://studio.example"}) as response:
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == "*", "a page may read why"
        assert "Location" in response.headers["Access-Control-Expose-Headers"]
    async with house.ask("GET", "/api/session", "chair", headers={"Origin": "https://studio.example"}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers, "only here"


@pytest.mark.parametrize(
    ("data", "headers", "refusal"),
    [
        (PUBLISH, {"Content-Type": "text/plain"}, (415, "unsupported_media_type")),
        (PUBLISH, {"Content-Type": "application/json"}, (415, "unsupported_media_type")),
        ("", SDP, (400, "bad_sdp")),
        ("  \r\n", SDP, (400, "bad_sdp")),
        (b"\xff\xfe", SDP, (400, "bad_sdp")),
        ("hello", SDP, (400, "bad_sdp")),
        ("v=0\r\n" * 5_000, SDP, (400, "bad_sdp")),
        ("v=0\r\n" + "a=x\r\n" * 10_000, SDP, (400, "bad_sdp")),
        ("x" * 100_001, SDP, (413, "too_large")),
        (PUBLISH.replace("a=fingerprint", "a=finger"), SDP, (400, "bad_sdp")),
        (PUBLISH.replace("opus", "g729").replace("VP8", "MJPG"), SDP, (400, "bad_sdp")),
    ],
    ids=[
        "text",
        "json",
        "empty",
        "blank",
        "octets",
        "words",
        "repeated",
        "10000 lines",
        "large",
        "no dtls",
        "odd codecs",
    ],
)
async def test_bad_offers(house: House, data: str | bytes, headers: dict[str, str], refusal: tuple[int, str]) -> None:
    async with house.join("endpoint2") as bystander:
        assert await house.problem("POST", f"{house.meeting}/whip", "endpoint1", data=data, headers=headers) == refusal
        await bystander.say(messages.Ping(1.0))
        assert (await bystander.hear_a(messages.Pong)).sent_at == 1.0
    assert await presence(house, 1) is Presence.ABSENT, "who was refused has not arrived"
    assert house.media.peers == 0


async def test_bad_offers_over_the_websocket(house: House) -> None:
    async with house.join("endpoint1") as client:
        for sdp in ("", "hello", "v=0\r\n" * 5_000, PUBLISH.replace("a=fingerprint", "a=finger")):
            await client.say(messages.Offer(sdp))
            told = await client.hear_a(messages.Refusal)
            assert (told.code, told.about) == ("bad_sdp", "offer")
        plan = OfferPlan((SendTrack("0", TrackLabel.MIC, (("", 1, 0),)),), audio_slots=1, video_slots=2)
        offered = [messages.OfferedTrack("0", TrackLabel.MIC)]
        await client.say(messages.Offer(build_offer(plan, CREDENTIALS), offered))
        answer = await client.hear_a(messages.Answer)
        assert [(slot.mid, slot.kind.value, slot.index) for slot in answer.slots] == [
            ("1", "audio", 0),
            ("2", "video", 0),
            ("3", "video", 1),
        ]
        assert len({slot.ssrc for slot in answer.slots}) == 3


@pytest.mark.parametrize("who", ["operator", "deputy", "observer"])
async def test_who_has_no_seat_may_view_but_not_publish(house: House, who: str) -> None:
    assert await house.problem("POST", f"{house.meeting}/whip", who, data=PUBLISH, headers=SDP) == (403, "no_seat")
    path, _ = await open_session(house, "whep", who)
    async with house.ask("DELETE", path, who) as response:
        assert response.status == 200


async def test_from_the_lobby_nothing_is_published(house: House) -> None:
    async with house.join("chair") as chair:
        await chair.command(SetLobby(True))
        for kind, offer in (("whip", PUBLISH), ("whep", VIEW)):
            assert await house.problem("POST", f"{house.meeting}/{kind}", "endpoint1", data=offer, headers=SDP) == (
                409,
                "in_lobby",
            )


async def test_a_location_behind_a_proxy_that_ends_tls(house: House) -> None:
    headers = SDP | {"X-Forwarded-Proto": "https", "Host": "hop.dienbien.example"}
    async with house.ask("POST", f"{house.meeting}/whep", "observer", data=VIEW, headers=headers) as response:
        assert response.headers["Location"].startswith(f"https://hop.dienbien.example{house.meeting}/whep/")


def test_tags_are_bounded() -> None:
    tags = IceTags(max_tags=2)
    first = tags.set("m_1", "a=ice-ufrag:a\r\na=ice-pwd:b\r\n")
    assert tags.set("m_2", "a=ice-ufrag:a\r\na=ice-pwd:b\r\n") == first, "the credentials make the tag"
    tags.set("m_3", "a=ice-ufrag:c\r\na=ice-pwd:d\r\n")
    tags.check("m_1", '"anything"')
    with pytest.raises(HttpRefusal):
        tags.check("m_2", '"anything"')
    tags.check("m_2", f"W/{first}, {first}")
    tags.forget("m_2")
    tags.forget("m_2")
    tags.check("m_2", '"anything"')


async def test_tags_are_forgotten_with_their_session(open_house: OpenHouse) -> None:
    async with open_house(HttpConfig()) as house:
        path, _ = await open_session(house)
        async with house.ask("DELETE", path, "endpoint1") as response:
            assert response.status == 200
        house.app[ICE_TAGS].check(path.rpartition("/")[2], '"anything"')
