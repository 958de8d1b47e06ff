/* Publishers: VP8-like pictures with valid descriptors, and sound, each packet numbered so that a copy can be dated. */

#include "inside.h"

#include <string.h>
#include <sys/socket.h>

#define KEYFRAME_INTERVAL_NS 10000000000LL
#define LONGEST_LAG_NS 500000000LL
#define LEVEL_DBOV 15

static const uint8_t KEYFRAME[] = {0x50, 0x01, 0x00, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02}; /* 1280x720 */
static const uint8_t DELTA_FRAME[] = {0x51, 0x01, 0x00};                                        /* RFC 6386 9.1 */

static uint8_t *put_extensions(uint8_t *at, const struct stream_plan *plan, int64_t now)
{
    uint8_t *elements = at + 4, *end = elements;
    if (plan->mid_id) {
        *end++ = (uint8_t)(plan->mid_id << 4 | (plan->mid_length - 1));
        memcpy(end, plan->mid, plan->mid_length);
        end += plan->mid_length;
    }
    if (plan->level_id) {
        *end++ = (uint8_t)(plan->level_id << 4);
        *end++ = 0x80 | LEVEL_DBOV;
    }
    if (plan->send_time_id) { /* 6.18 bits of seconds */
        uint32_t send_time = (uint32_t)((now % 64000000000LL) * 262144 / 1000000000);
        *end++ = (uint8_t)(plan->send_time_id << 4 | 2);
        *end++ = (uint8_t)(send_time >> 16), *end++ = (uint8_t)(send_time >> 8), *end++ = (uint8_t)send_time;
    }
    while ((end - elements) % 4)
        *end++ = 0;
    put16(at, 0xbede);
    put16(at + 2, (uint32_t)(end - elements) / 4);
    return end;
}

static uint8_t *put_vp8(uint8_t *at, struct stream *stream)
{
    int first = stream->chunk == 0;
    *at++ = first ? 0x90 : 0x80; /* X; S where a frame begins (RFC 7741 4.2) */
    *at++ = 0x80;                /* I */
    *at++ = (uint8_t)(0x80 | (stream->frame >> 8 & 0x7f));
    *at++ = (uint8_t)stream->frame;
    if (first && stream->in_keyframe)
        memcpy(at, KEYFRAME, sizeof KEYFRAME), at += sizeof KEYFRAME;
    else if (first)
        memcpy(at, DELTA_FRAME, sizeof DELTA_FRAME), at += sizeof DELTA_FRAME;
    return at;
}

static void send_packet(struct load *load, int place, int64_t now)
{
    struct stream *stream = load->streams[place];
    struct peer *peer = load->peers[stream->peer];
    const struct stream_plan *plan = &stream->plan;
    uint8_t packet[PACKET_ROOM];
    int last = stream->chunk + 1 == plan->packets_per_frame;
    packet[0] = 0x90;
    packet[1] = (uint8_t)(plan->payload_type | (plan->video && last ? 0x80 : 0));
    put16(packet + 2, stream->first_sequence + stream->packets);
    put32(packet + 4, stream->rtp_timestamp);
    put32(packet + 8, plan->ssrc);
    uint8_t *payload = put_extensions(packet + 12, plan, now), *end = payload + plan->payload_octets;
    uint8_t *at = plan->video ? put_vp8(payload, stream) : payload;
    memset(at, 0x5a, (size_t)(end - at));
    put32(put32(put32(end - TRAILER_OCTETS, TRAILER_MAGIC), (uint32_t)place), stream->packets);
    int length = (int)(end - packet);
    if (load->protect(peer->srtp_out, packet, &length) == 0) {
        int64_t sent_at = now_ns();
        stream->sent_at_ns[stream->packets % SENT_RING] = sent_at;
        if (send(peer->socket, packet, (size_t)length, MSG_DONTWAIT) == length)
            load->totals.sent++;
        else
            load->totals.send_failed++;
        if (sent_at - stream->due_ns > (int64_t)load->totals.latest_ns)
            load->totals.latest_ns = (uint64_t)(sent_at - stream->due_ns);
    } else
        load->totals.send_failed++;
    stream->packets++;
    stream->octets += plan->payload_octets;
}

static void begin_frame(struct load *load, struct stream *stream)
{
    stream->in_keyframe = stream->plan.video && (stream->keyframe_due || stream->due_ns >= stream->keyframe_at_ns);
    if (stream->in_keyframe) {
        stream->keyframe_due = 0;
        stream->keyframe_at_ns = stream->due_ns + KEYFRAME_INTERVAL_NS;
        load->totals.keyframes++;
    }
}

/* Send every packet whose time has come; when the next one's is. */
int64_t send_due(struct load *load, int64_t now)
{
    int64_t next = INT64_MAX;
    for (int place = 0; place < load->stream_count; place++) {
        struct stream *stream = load->streams[place];
        const struct stream_plan *plan = &stream->plan;
        int64_t interval = 1000000000LL / plan->frames_per_s;
        if (stream->peer < 0 || !stream->sends)
            continue;
        if (now - stream->due_ns > LONGEST_LAG_NS) /* it had stopped, or the whole process had */
            stream->due_ns = stream->frame_at_ns = now, stream->chunk = 0;
        while (stream->due_ns <= now) {
            if (stream->chunk == 0)
                begin_frame(load, stream);
            send_packet(load, place, now);
            if (++stream->chunk == plan->packets_per_frame) {
                stream->chunk = 0;
                stream->frame++;
                stream->rtp_timestamp += plan->clock_rate / plan->frames_per_s;
                stream->frame_at_ns += interval;
            }
            stream->due_ns =
                stream->frame_at_ns + (int64_t)(plan->spread * (double)interval * stream->chunk / plan->packets_per_frame);
        }
        next = stream->due_ns < next ? stream->due_ns : next;
    }
    return next;
}

void ask_for_keyframe(struct load *load, struct peer *peer, uint32_t ssrc)
{
    load->totals.keyframe_requests++;
    for (int place = 0; place < peer->stream_count; place++)
        if (load->streams[peer->streams[place]]->plan.ssrc == ssrc)
            load->streams[peer->streams[place]]->keyframe_due = 1;
}
