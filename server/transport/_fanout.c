/* The fan-out in C: copy, rewrite, protect, queue; then one flush in as few messages as the kernel takes.
   server/transport/fanout.py is the readable reference and says what must hold; native_fanout.py drives this.
   One thread, no allocation after fanout_new, no state of the socket kept: its descriptor comes with every flush. */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "_fanout.h"

#ifndef FANOUT_SOURCE_DIGEST
#define FANOUT_SOURCE_DIGEST ""
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* linux/udp.h, Linux 4.18 */
#endif

#define SLOT_OCTETS 1664 /* a packet, what libsrtp may write behind it (148), rounded up to cache lines */
#define MAX_MESSAGES_A_CALL 1024 /* UIO_MAXIOV: sendmmsg takes no more at once */
#define NO_SLOT UINT32_MAX

#include "_intake.c"
#include "_rewrite.c"

/* libsrtp's srtp_err_status_t that say "this number went out before": replay_fail, replay_old, pkt_idx_old. */
static int is_repetition(int status) { return status == 9 || status == 10 || status == 26; }

union segment_control {
    struct cmsghdr header; /* for its alignment */
    char octets[CMSG_SPACE(sizeof(uint16_t))];
};

struct fanout {
    protect_call *protect;
    struct counts counts;
    uint32_t queued;
    uint32_t viewers_waiting;
    uint64_t drops_told;
    struct viewer *waiting[MAX_QUEUED]; /* in the order of their first datagram; NULL: gone meanwhile */
    uint32_t next[MAX_QUEUED];          /* a viewer's following datagram */
    struct iovec datagrams[MAX_QUEUED]; /* by slot */
    struct iovec parts[MAX_QUEUED];     /* the same, viewer by viewer */
    struct mmsghdr messages[MAX_QUEUED];
    struct viewer *receivers[MAX_QUEUED]; /* by message */
    union segment_control controls[MAX_QUEUED];
    uint8_t slots[MAX_QUEUED][SLOT_OCTETS] __attribute__((aligned(64)));
};

struct fanout *fanout_new(protect_call *protect) {
    struct fanout *fanout;
    if (posix_memalign((void **)&fanout, 64, sizeof *fanout))
        return NULL;
    /* The slots stay untouched, so that memory is used only as far as the queue has ever grown. */
    memset(fanout, 0, offsetof(struct fanout, waiting));
    fanout->protect = protect;
    return fanout;
}

void fanout_free(struct fanout *fanout) { free(fanout); }

struct counts *fanout_counts(struct fanout *fanout) { return &fanout->counts; }

const char *fanout_source_digest(void) { return FANOUT_SOURCE_DIGEST; }

/* --- one packet in ------------------------------------------------------------------------------------------ */

static void enqueue(struct fanout *fanout, struct viewer *viewer, uint32_t octets) {
    const uint32_t slot = fanout->queued++;
    fanout->datagrams[slot] = (struct iovec){fanout->slots[slot], octets};
    fanout->next[slot] = NO_SLOT;
    if (viewer->waiting++ == 0) {
        fanout->waiting[fanout->viewers_waiting++] = viewer;
        viewer->first = slot;
    } else {
        fanout->next[viewer->last] = slot;
    }
    viewer->last = slot;
}

/* sfu.sent_log.SentLog.take: 32 bits are counted, 16 travel. */
static uint32_t take_number(const struct flow *flow, const struct packet *packet) {
    if (flow->log_next_number == NULL)
        return 0;
    const uint32_t number = (*flow->log_next_number)++;
    flow->log_sent_at[number % SENT_LOG_PACKETS] = packet->now;
    flow->log_octets[number % SENT_LOG_PACKETS] = packet->length;
    return number & 0xFFFF;
}

static void carry(struct fanout *fanout, struct reading *reading, const struct copy *copy) {
    struct counts *counts = &fanout->counts;
    if (copy->viewer == NULL) {
        counts->not_connected++;
        return;
    }
    uint8_t *datagram = fanout->slots[fanout->queued];
    int octets = (int)write_copy(datagram, MAX_PACKET_OCTETS, reading, copy->flow, take_number(copy->flow, reading->packet));
    if (octets == 0) {
        counts->oversize++;
        return;
    }
    const int status = fanout->protect(copy->viewer->srtp, datagram, &octets);
    if (status != 0) {
        if (is_repetition(status))
            counts->srtp_repeated++;
        else
            counts->srtp_malformed++;
        return;
    }
    enqueue(fanout, copy->viewer, (uint32_t)octets);
    copy->flow->packets++;
    copy->flow->octets += reading->packet->payload_end - reading->packet->payload_offset;
}

/* Queue copies[first..count) of one packet. Returns how far it came: short of `count` the queue is full, flush and call
   again from there. -1: the offsets do not lie inside the packet, nothing was done. */
int fanout_forward(struct fanout *fanout, const uint8_t *data, uint32_t length, uint32_t payload_offset,
                   uint32_t payload_end, uint32_t extensions_offset, int one_byte, int marker, uint32_t sequence,
                   uint32_t timestamp, const struct copy *copies, int first, int count, uint32_t abs_send_time,
                   double now) {
    const struct packet packet = {data,     length,   payload_offset, payload_end,              extensions_offset, one_byte,
                                  marker,   sequence, timestamp,      abs_send_time & 0xFFFFFF, now};
    struct reading reading = {.packet = &packet, .level_from_id = -1};
    if (payload_offset < HEADER_OCTETS || payload_offset > payload_end || payload_end > length || first < 0)
        return -1;
    for (; first < count && fanout->queued < MAX_QUEUED; first++) {
        if (first + 2 < count) { /* flows and viewers lie anywhere in memory */
            __builtin_prefetch(copies[first + 2].flow);
            __builtin_prefetch(copies[first + 2].viewer);
        }
        carry(fanout, &reading, &copies[first]);
    }
    return first;
}

/* --- everything out ----------------------------------------------------------------------------------------- */

/* How many of `parts` can go as one segmented message: equal lengths, only the last may be shorter. */
static uint32_t run_length(const struct iovec *parts, uint32_t count, uint32_t segments_below) {
    const size_t segment = parts[0].iov_len;
    size_t octets = segment;
    uint32_t length = 1;
    if (segment >= segments_below)
        return 1;
    while (length < count && length < MAX_RUN_DATAGRAMS) {
        const size_t next = parts[length].iov_len;
        if (next > segment || parts[length - 1].iov_len < segment || octets + next > MAX_RUN_OCTETS)
            break;
        octets += next;
        length++;
    }
    return length;
}

static void address_message(struct fanout *fanout, uint32_t number, struct viewer *viewer, struct iovec *parts,
                            uint32_t count) {
    struct msghdr *message = &fanout->messages[number].msg_hdr;
    *message = (struct msghdr){.msg_name = viewer->address,
                               .msg_namelen = viewer->address_length,
                               .msg_iov = parts,
                               .msg_iovlen = count};
    fanout->receivers[number] = viewer;
    if (count == 1)
        return;
    const uint16_t segment = (uint16_t)parts[0].iov_len;
    message->msg_control = &fanout->controls[number];
    message->msg_controllen = sizeof fanout->controls[number];
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    *control = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof segment), .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
    memcpy(CMSG_DATA(control), &segment, sizeof segment);
}

static void count_sent(struct counts *counts, const struct msghdr *message) {
    counts->messages++;
    counts->packets += message->msg_iovlen;
    for (size_t part = 0; part < message->msg_iovlen; part++)
        counts->octets += message->msg_iov[part].iov_len;
}

/* Waiting for room would harm everybody. ENOBUFS comes from the device's queue. */
static int is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

/* What the kernel says of segments that are longer than the path's MTU, whole datagrams of which it would fragment. */
static int is_too_long(int error) { return error == EINVAL || error == EMSGSIZE; }

/* What it says where a path takes no segments at all: no checksums in hardware, a tunnel, an old driver. */
static int says_unsegmentable(int error) { return error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT; }

/* A message that sendmmsg would not take: as single datagrams where it had segments, else dropped and counted. What
   the path took singly only is not tried again as a run. */
static void recover(struct fanout *fanout, int fd, const struct msghdr *refused, struct viewer *viewer, int error) {
    struct counts *counts = &fanout->counts;
    if (is_full(error)) {
        counts->send_blocked += refused->msg_iovlen;
        return;
    }
    if (refused->msg_iovlen == 1) {
        counts->send_failed++;
        return;
    }
    const uint64_t packets_before = counts->packets;
    for (size_t part = 0; part < refused->msg_iovlen; part++) {
        const struct msghdr single = {.msg_name = refused->msg_name,
                                      .msg_namelen = refused->msg_namelen,
                                      .msg_iov = &refused->msg_iov[part],
                                      .msg_iovlen = 1};
        ssize_t sent;
        do
            sent = sendmsg(fd, &single, MSG_DONTWAIT);
        while (sent < 0 && errno == EINTR);
        if (sent >= 0)
            count_sent(counts, &single);
        else if (is_full(errno))
            counts->send_blocked++;
        else
            counts->send_failed++;
    }
    if (counts->packets == packets_before)
        return;
    if (is_too_long(error))
        viewer->segments_below = (uint32_t)refused->msg_iov[0].iov_len;
    else if (says_unsegmentable(error))
        viewer->segments_below = 0;
}

static void send_messages(struct fanout *fanout, int fd, uint32_t count) {
    uint32_t at = 0;
    while (at < count) {
        const uint32_t some = count - at < MAX_MESSAGES_A_CALL ? count - at : MAX_MESSAGES_A_CALL;
        const int taken = sendmmsg(fd, &fanout->messages[at], some, MSG_DONTWAIT);
        if (taken > 0) {
            for (uint32_t end = at + (uint32_t)taken; at < end; at++)
                count_sent(&fanout->counts, &fanout->messages[at].msg_hdr);
        } else if (taken == 0 || errno != EINTR) {
            /* It stops at the first message that fails and tells of it only when that is the first of a call. */
            recover(fanout, fd, &fanout->messages[at].msg_hdr, fanout->receivers[at], taken == 0 ? EAGAIN : errno);
            at++;
        }
    }
}

static uint64_t drops(const struct counts *counts) {
    return counts->not_connected + counts->oversize + counts->srtp_repeated + counts->srtp_malformed +
           counts->send_blocked + counts->send_failed;
}

/* Send what waits, each viewer's datagrams in order. Returns whether anything was dropped since the last flush. */
int fanout_flush(struct fanout *fanout, int fd, int can_segment) {
    uint32_t messages = 0, parts = 0;
    for (uint32_t place = 0; place < fanout->viewers_waiting; place++) {
        struct viewer *viewer = fanout->waiting[place];
        if (viewer == NULL)
            continue;
        const uint32_t begin = parts;
        for (uint32_t slot = viewer->first; slot != NO_SLOT; slot = fanout->next[slot])
            fanout->parts[parts++] = fanout->datagrams[slot];
        const uint32_t segments_below = can_segment ? viewer->segments_below : 0;
        for (uint32_t at = begin, run; at < parts; at += run) {
            run = run_length(&fanout->parts[at], parts - at, segments_below);
            address_message(fanout, messages++, viewer, &fanout->parts[at], run);
        }
        viewer->waiting = 0;
    }
    fanout->viewers_waiting = 0;
    fanout->queued = 0;
    send_messages(fanout, fd, messages);
    const uint64_t dropped = drops(&fanout->counts);
    const int is_news = dropped != fanout->drops_told;
    fanout->drops_told = dropped;
    return is_news;
}

/* A viewer is about to be freed: what waits for it is not sent. */
void fanout_forget(struct fanout *fanout, struct viewer *viewer) {
    viewer->waiting = 0;
    for (uint32_t place = 0; place < fanout->viewers_waiting; place++)
        if (fanout->waiting[place] == viewer)
            fanout->waiting[place] = NULL;
}
