/* Viewers: count by the clear RTP header, date by the sequence number, decipher now and then to know whose copy it is. */

#include "inside.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef SCM_TIMESTAMPNS
#define SCM_TIMESTAMPNS 35
#endif
#define MESSAGES 8
#define MESSAGE_OCTETS 65536
#define DECIPHER_EVERY 512
#define LONGEST_DELAY_NS 10000000000LL

uint64_t lost_of(const struct arrivals *arrivals)
{
    if (arrivals->retransmission || !arrivals->packets)
        return 0;
    uint64_t expected = arrivals->highest - arrivals->first + 1, came = arrivals->packets;
    return expected > came ? expected - came : 0;
}

static void count(struct arrivals *arrivals, uint16_t sequence, int size)
{
    arrivals->octets += (uint64_t)size;
    if (!arrivals->packets++) {
        arrivals->first = arrivals->highest = 0x10000u + sequence;
        return;
    }
    uint16_t ahead = (uint16_t)(sequence - (uint16_t)arrivals->highest);
    if (ahead && ahead < 0x8000)
        arrivals->highest += ahead;
    else
        arrivals->late++;
}

/* The server changes numbers by a constant: found from the number inside, then only looked after. */
static void learn(struct load *load, struct peer *peer, struct arrivals *arrivals, const uint8_t *data, int size)
{
    uint8_t packet[PACKET_ROOM + 256];
    if (size > PACKET_ROOM)
        return;
    memcpy(packet, data, (size_t)size);
    if (load->unprotect(peer->srtp_in, packet, &size) != 0 || size < 12 + TRAILER_OCTETS) {
        load->totals.undeciphered++;
        return;
    }
    const uint8_t *trailer = packet + size - TRAILER_OCTETS;
    uint32_t source = get32(trailer + 4);
    if (get32(trailer) != TRAILER_MAGIC || source >= (uint32_t)load->stream_count)
        return; /* padding, say */
    arrivals->source = (int32_t)source;
    arrivals->delta = (uint16_t)(get16(data + 2) - (uint16_t)get32(trailer + 8));
}

static void date(struct load *load, const struct arrivals *arrivals, uint16_t sequence, int64_t arrived_at)
{
    const struct stream *source = load->streams[arrivals->source];
    int64_t delay = arrived_at - source->sent_at_ns[(uint16_t)(sequence - arrivals->delta) % SENT_RING];
    if (delay < 0 || delay > LONGEST_DELAY_NS) {
        load->totals.strays++;
        return;
    }
    int64_t bucket = delay / DELAY_BUCKET_NS;
    load->delays[bucket < DELAY_BUCKETS ? bucket : DELAY_BUCKETS - 1]++;
}

static void take_rtp(struct load *load, struct peer *peer, const uint8_t *data, int size, int64_t arrived_at)
{
    uint32_t ssrc = get32(data + 8);
    for (int place = 0; place < peer->arrivals_count; place++) {
        struct arrivals *arrivals = &peer->arrivals[place];
        if (arrivals->ssrc != ssrc)
            continue;
        if (arrivals->retransmission)
            load->totals.retransmissions++;
        else {
            load->totals.packets++, load->totals.octets += (uint64_t)size;
            if (arrivals->packets % DECIPHER_EVERY == 0 || arrivals->source < 0)
                learn(load, peer, arrivals, data, size);
            if (arrivals->source >= 0)
                date(load, arrivals, get16(data + 2), arrived_at);
        }
        uint64_t late = arrivals->late;
        count(arrivals, get16(data + 2), size);
        load->totals.late += arrivals->late - late;
        return;
    }
    load->totals.unknown++;
}

static void hand_on(struct load *load, int number, const uint8_t *data, size_t size)
{
    struct iovec parts[2] = {{&number, sizeof number}, {(void *)data, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(load->others, &message, MSG_DONTWAIT) > 0)
        load->totals.handed_on++;
}

/* RFC 7983: tell apart by the first octet. */
static void take(struct load *load, int number, const uint8_t *data, int size, int64_t arrived_at)
{
    struct peer *peer = load->peers[number];
    if (size < 2)
        return;
    if (data[0] < 128 || data[0] > 191)
        hand_on(load, number, data, (size_t)size);
    else if (data[1] >= 192 && data[1] <= 223)
        take_report(load, peer, data, size);
    else if (size >= 12)
        take_rtp(load, peer, data, size, arrived_at);
}

void receive(struct load *load, int number)
{
    static uint8_t room[MESSAGES][MESSAGE_OCTETS];
    static uint8_t control[MESSAGES][128];
    static struct mmsghdr messages[MESSAGES]; /* one loop a process */
    static struct iovec parts[MESSAGES];
    if (!load->peers[number])
        return;
    for (int place = 0; place < MESSAGES; place++) {
        parts[place] = (struct iovec){room[place], MESSAGE_OCTETS};
        messages[place].msg_hdr = (struct msghdr){
            .msg_iov = &parts[place],
            .msg_iovlen = 1,
            .msg_control = control[place],
            .msg_controllen = sizeof control[place],
        };
    }
    int came = recvmmsg(load->peers[number]->socket, messages, MESSAGES, MSG_DONTWAIT, NULL);
    int64_t now = came > 0 ? now_ns() : 0;
    for (int place = 0; place < came; place++) {
        int size = (int)messages[place].msg_len, segment = size;
        int64_t arrived_at = now;
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&messages[place].msg_hdr); at;
             at = CMSG_NXTHDR(&messages[place].msg_hdr, at)) {
            if (at->cmsg_level == IPPROTO_UDP && at->cmsg_type == UDP_GRO)
                memcpy(&segment, CMSG_DATA(at), sizeof segment);
            else if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_TIMESTAMPNS) {
                struct timespec time;
                memcpy(&time, CMSG_DATA(at), sizeof time);
                arrived_at = time.tv_sec * 1000000000LL + time.tv_nsec;
            }
        }
        for (int start = 0; segment > 0 && start < size; start += segment)
            take(load, number, room[place] + start, size - start < segment ? size - start : segment, arrived_at);
    }
}
