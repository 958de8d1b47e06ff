/* Shared by the load generator's C files. One lock: Python adds and asks, the loop sends and counts. */

#ifndef INSIDE_H
#define INSIDE_H

#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include "load.h"

#define MOST_PEERS 8192
#define MOST_STREAMS 8192
#define MOST_STREAMS_A_PEER 16
#define MOST_ARRIVALS_A_PEER 48
#define SENT_RING 4096 /* send times kept a stream: 20 s of 1.5 Mbit/s */
#define DELAY_BUCKET_NS 20000
#define DELAY_BUCKETS 100000 /* 2 s; what took longer is in the last */
#define PACKET_ROOM 2048
#define TRAILER_MAGIC 0xD1E3CA01u
#define TRAILER_OCTETS 12

typedef int srtp_call(void *session, void *packet, int *length);

struct peer {
    int socket;
    void *srtp_out, *srtp_in;
    uint32_t receives_bps;
    int64_t report_at_ns;
    int streams[MOST_STREAMS_A_PEER];
    int stream_count, arrivals_count;
    struct arrivals arrivals[MOST_ARRIVALS_A_PEER];
};

struct stream {
    struct stream_plan plan;
    int peer; /* -1: gone */
    int sends;
    uint16_t first_sequence;
    uint32_t packets, octets, frame, chunk;
    uint32_t rtp_timestamp;
    int keyframe_due, in_keyframe;
    int64_t frame_at_ns, due_ns, keyframe_at_ns;
    int64_t sent_at_ns[SENT_RING];
};

struct load {
    pthread_mutex_t lock;
    srtp_call *protect, *protect_rtcp, *unprotect, *unprotect_rtcp;
    int others, epoll, wake;
    int stopping;
    int peer_count, stream_count;
    struct peer *peers[MOST_PEERS];
    struct stream *streams[MOST_STREAMS];
    struct totals totals;
    uint64_t lost_by_the_gone;
    uint32_t delays[DELAY_BUCKETS];
};

int64_t now_ns(void);

int64_t send_due(struct load *load, int64_t now);                                      /* sending.c */
void ask_for_keyframe(struct load *load, struct peer *peer, uint32_t ssrc);            /* sending.c */
void receive(struct load *load, int number);                                           /* receiving.c */
uint64_t lost_of(const struct arrivals *arrivals);                                     /* receiving.c */
int64_t report_due(struct load *load, int64_t now);                                    /* reports.c */
void take_report(struct load *load, struct peer *peer, const uint8_t *data, int size); /* reports.c */

static inline uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint8_t *put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24), at[1] = (uint8_t)(value >> 16), at[2] = (uint8_t)(value >> 8), at[3] = (uint8_t)value;
    return at + 4;
}

static inline uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8), at[1] = (uint8_t)value;
    return at + 2;
}

#endif
