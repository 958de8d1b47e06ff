/* RTCP as a browser sends it, once a second: sender reports, receiver reports, REMB; and what the server asks for. */

#include "inside.h"

#include <string.h>
#include <sys/socket.h>

#define INTERVAL_NS 1000000000LL
#define NTP_EPOCH_S 2208988800LL
#define MOST_BLOCKS 31
enum { SENDER = 200, RECEIVER = 201, TRANSPORT_FEEDBACK = 205, PAYLOAD_FEEDBACK = 206 };
enum { NACK = 1, PLI = 1, FIR = 4, REMB = 15 };

static uint64_t ntp(int64_t ns)
{
    uint64_t fraction = ((uint64_t)(ns % 1000000000) << 32) / 1000000000;
    return (uint64_t)(ns / 1000000000 + NTP_EPOCH_S) << 32 | fraction;
}

static uint8_t *put_header(uint8_t *at, int count, int type, int words)
{
    at[0] = (uint8_t)(0x80 | count), at[1] = (uint8_t)type;
    return put16(at + 2, (uint32_t)words);
}

static uint8_t *put_sender(uint8_t *at, const struct stream *stream, int64_t now)
{
    uint64_t time = ntp(now);
    double since_frame_s = (double)(now - stream->frame_at_ns) / 1e9;
    at = put_header(at, 0, SENDER, 6);
    at = put32(at, stream->plan.ssrc);
    at = put32(put32(at, (uint32_t)(time >> 32)), (uint32_t)time);
    at = put32(at, stream->rtp_timestamp + (uint32_t)(int32_t)(since_frame_s * stream->plan.clock_rate));
    return put32(put32(at, stream->packets), stream->octets);
}

static uint8_t *put_block(uint8_t *at, struct arrivals *arrivals, int64_t now)
{
    uint64_t expected = arrivals->highest - arrivals->first + 1;
    int64_t expects = (int64_t)(expected - arrivals->told_expected);
    int64_t misses = expects - (int64_t)(arrivals->packets - arrivals->told_packets);
    uint32_t fraction = expects > 0 && misses > 0 ? (uint32_t)(misses * 256 / expects) : 0;
    arrivals->told_expected = expected, arrivals->told_packets = arrivals->packets;
    at = put32(at, arrivals->ssrc);
    at = put32(at, (fraction > 255 ? 255 : fraction) << 24 | (uint32_t)(lost_of(arrivals) & 0x7fffff));
    at = put32(at, (uint32_t)(arrivals->highest - 0x10000));
    at = put32(at, 0); /* jitter is not measured */
    at = put32(at, arrivals->last_sr);
    return put32(at, arrivals->last_sr ? (uint32_t)((now - arrivals->last_sr_at_ns) * 65536 / 1000000000) : 0);
}

static uint8_t *put_remb(uint8_t *at, const struct peer *peer, uint32_t own)
{
    uint8_t *head = at;
    uint32_t mantissa = peer->receives_bps, exponent = 0, count = 0;
    while (mantissa >= 1u << 18)
        mantissa >>= 1, exponent++;
    at = put32(put32(at + 4, own), 0);
    memcpy(at, "REMB", 4);
    uint8_t *number = at + 4;
    at += 8;
    for (int place = 0; place < peer->arrivals_count && count < MOST_BLOCKS; place++)
        if (!peer->arrivals[place].retransmission && peer->arrivals[place].packets)
            at = put32(at, peer->arrivals[place].ssrc), count++;
    put32(number, count << 24 | exponent << 18 | mantissa);
    put_header(head, REMB, PAYLOAD_FEEDBACK, (int)(at - head) / 4 - 1);
    return at;
}

static void send_report(struct load *load, struct peer *peer, int64_t now)
{
    uint8_t compound[PACKET_ROOM], *at = compound;
    uint32_t own = peer->stream_count ? load->streams[peer->streams[0]]->plan.ssrc : 1;
    int blocks = 0;
    for (int place = 0; place < peer->stream_count; place++)
        if (load->streams[peer->streams[place]]->packets)
            at = put_sender(at, load->streams[peer->streams[place]], now);
    uint8_t *head = at;
    at += 8;
    for (int place = 0; place < peer->arrivals_count && blocks < MOST_BLOCKS; place++)
        if (peer->arrivals[place].packets)
            at = put_block(at, &peer->arrivals[place], now), blocks++;
    put_header(head, blocks, RECEIVER, (int)(at - head) / 4 - 1);
    put32(head + 4, own);
    if (blocks && peer->receives_bps)
        at = put_remb(at, peer, own);
    int length = (int)(at - compound);
    if (load->protect_rtcp(peer->srtp_out, compound, &length) == 0 &&
        send(peer->socket, compound, (size_t)length, MSG_DONTWAIT) == length)
        load->totals.reports_out++;
}

int64_t report_due(struct load *load, int64_t now)
{
    int64_t next = INT64_MAX;
    for (int number = 0; number < load->peer_count; number++) {
        struct peer *peer = load->peers[number];
        if (!peer)
            continue;
        if (peer->report_at_ns <= now) {
            send_report(load, peer, now);
            peer->report_at_ns = now + INTERVAL_NS;
        }
        next = peer->report_at_ns < next ? peer->report_at_ns : next;
    }
    return next;
}

static void note_sender(struct peer *peer, const uint8_t *body, int64_t now)
{
    for (int place = 0; place < peer->arrivals_count; place++)
        if (peer->arrivals[place].ssrc == get32(body)) {
            peer->arrivals[place].last_sr = get32(body + 4) << 16 | get32(body + 8) >> 16;
            peer->arrivals[place].last_sr_at_ns = now;
        }
}

void take_report(struct load *load, struct peer *peer, const uint8_t *data, int size)
{
    uint8_t compound[PACKET_ROOM + 256];
    if (size > PACKET_ROOM)
        return;
    memcpy(compound, data, (size_t)size);
    if (load->unprotect_rtcp(peer->srtp_in, compound, &size) != 0) {
        load->totals.undeciphered++;
        return;
    }
    load->totals.reports_in++;
    int64_t now = now_ns();
    for (int start = 0, length; start + 8 <= size; start += length) {
        const uint8_t *at = compound + start;
        int format = at[0] & 0x1f;
        length = 4 * (get16(at + 2) + 1);
        if (start + length > size)
            return;
        if (at[1] == SENDER && length >= 28)
            note_sender(peer, at + 4, now);
        else if (at[1] == TRANSPORT_FEEDBACK && format == NACK)
            load->totals.nacks++;
        else if (at[1] == PAYLOAD_FEEDBACK && format == PLI && length >= 12)
            ask_for_keyframe(load, peer, get32(at + 8));
        else if (at[1] == PAYLOAD_FEEDBACK && format == FIR)
            for (int entry = 12; entry + 8 <= length; entry += 8)
                ask_for_keyframe(load, peer, get32(at + entry));
    }
}
