/* The loop: send what is due, take in what has come every few milliseconds, sleep. One thread, one epoll, one lock. */

#include "inside.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define EVENTS 64 /* between two looks at what is to be sent */
#define ROUND_NS 8000000
#define LONGEST_SLEEP_NS 100000000

int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now); /* the kernel's arrival times are of this clock */
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

struct load *load_new(void *protect, void *protect_rtcp, void *unprotect, void *unprotect_rtcp, int others)
{
    struct load *load = calloc(1, sizeof *load);
    if (!load)
        return NULL;
    load->protect = (srtp_call *)protect;
    load->protect_rtcp = (srtp_call *)protect_rtcp;
    load->unprotect = (srtp_call *)unprotect;
    load->unprotect_rtcp = (srtp_call *)unprotect_rtcp;
    load->others = others;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&load->lock, NULL);
    if (load->epoll < 0 || load->wake < 0) {
        load_free(load);
        return NULL;
    }
    return load;
}

void load_free(struct load *load)
{
    for (int number = 0; number < load->peer_count; number++)
        free(load->peers[number]);
    for (int number = 0; number < load->stream_count; number++)
        free(load->streams[number]);
    close(load->epoll);
    close(load->wake);
    pthread_mutex_destroy(&load->lock);
    free(load);
}

static void wake(struct load *load)
{
    uint64_t one = 1;
    if (write(load->wake, &one, sizeof one) < 0)
        return; /* it is awake already */
}

int load_add_peer(struct load *load, int socket, void *srtp_out, void *srtp_in, uint32_t receives_bps)
{
    struct peer *peer = calloc(1, sizeof *peer);
    int on = 1, number = -1;
    if (!peer)
        return -1;
    peer->socket = socket, peer->srtp_out = srtp_out, peer->srtp_in = srtp_in, peer->receives_bps = receives_bps;
    /* Without it a sender over loopback cuts its segmented messages itself, inside its own send call. */
    setsockopt(socket, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    pthread_mutex_lock(&load->lock);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = load->peer_count};
    if (load->peer_count < MOST_PEERS && epoll_ctl(load->epoll, EPOLL_CTL_ADD, socket, &event) == 0) {
        number = load->peer_count++;
        load->peers[number] = peer;
        /* Reports of many peers do not leave at one instant. */
        peer->report_at_ns = now_ns() + 1000000LL * (100 + 37 * (number % 27));
    }
    pthread_mutex_unlock(&load->lock);
    if (number < 0)
        free(peer);
    return number;
}

void load_remove_peer(struct load *load, int number)
{
    pthread_mutex_lock(&load->lock);
    struct peer *peer = load->peers[number];
    if (peer) {
        epoll_ctl(load->epoll, EPOLL_CTL_DEL, peer->socket, NULL);
        for (int place = 0; place < peer->stream_count; place++)
            load->streams[peer->streams[place]]->peer = -1;
        for (int place = 0; place < peer->arrivals_count; place++)
            load->lost_by_the_gone += lost_of(&peer->arrivals[place]);
        load->peers[number] = NULL;
        free(peer);
    }
    pthread_mutex_unlock(&load->lock);
}

int load_add_stream(struct load *load, int number, const struct stream_plan *plan)
{
    struct stream *stream = calloc(1, sizeof *stream);
    int place = -1;
    if (!stream)
        return -1;
    pthread_mutex_lock(&load->lock);
    struct peer *peer = load->peers[number];
    if (peer && peer->stream_count < MOST_STREAMS_A_PEER && load->stream_count < MOST_STREAMS) {
        place = load->stream_count++;
        load->streams[place] = stream;
        peer->streams[peer->stream_count++] = place;
        stream->plan = *plan;
        stream->peer = number;
        stream->sends = 1;
        stream->first_sequence = (uint16_t)(plan->ssrc * 7 & 0x7fff);
        stream->rtp_timestamp = plan->ssrc;
        stream->keyframe_due = plan->video;
        stream->due_ns = stream->frame_at_ns = now_ns() + 1000LL * plan->begin_after_us;
    }
    pthread_mutex_unlock(&load->lock);
    if (place < 0)
        free(stream);
    wake(load);
    return place;
}

void load_set_sending(struct load *load, int place, int sends)
{
    pthread_mutex_lock(&load->lock);
    load->streams[place]->sends = sends;
    pthread_mutex_unlock(&load->lock);
    wake(load);
}

void load_expect(struct load *load, int number, uint32_t ssrc, int retransmission)
{
    pthread_mutex_lock(&load->lock);
    struct peer *peer = load->peers[number];
    if (peer && peer->arrivals_count < MOST_ARRIVALS_A_PEER) {
        struct arrivals *arrivals = &peer->arrivals[peer->arrivals_count++];
        arrivals->ssrc = ssrc, arrivals->retransmission = (uint8_t)retransmission, arrivals->source = -1;
    }
    pthread_mutex_unlock(&load->lock);
}

/* Wait for `until`, or for Python. Nobody is woken by a packet: that would cost the sender, and arrivals have the
   kernel's time. */
static void rest(struct load *load, int64_t until)
{
    struct pollfd waker = {.fd = load->wake, .events = POLLIN};
    int64_t left = until - now_ns();
    uint64_t wakes;
    left = left < 0 ? 0 : left < LONGEST_SLEEP_NS ? left : LONGEST_SLEEP_NS;
    struct timespec sleep = {.tv_sec = 0, .tv_nsec = left};
    if (ppoll(&waker, 1, &sleep, NULL) > 0 && read(load->wake, &wakes, sizeof wakes) < 0)
        return;
}

int load_run(struct load *load)
{
    struct epoll_event events[EVENTS];
    int64_t round_at = 0;
    prctl(PR_SET_TIMERSLACK, 1UL); /* ns; 50 us otherwise */
    pthread_mutex_lock(&load->lock);
    while (!load->stopping) {
        int64_t now = now_ns(), until = send_due(load, now), reports = report_due(load, now);
        struct timespec cpu;
        until = reports < until ? reports : until;
        if (now >= round_at) {
            int count = epoll_wait(load->epoll, events, EVENTS, 0);
            for (int place = 0; place < count; place++)
                receive(load, events[place].data.fd);
            if (count < EVENTS)
                round_at = now + ROUND_NS;
        }
        until = round_at < until ? round_at : until;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
        load->totals.cpu_ns = (uint64_t)(cpu.tv_sec * 1000000000LL + cpu.tv_nsec);
        pthread_mutex_unlock(&load->lock);
        rest(load, until);
        pthread_mutex_lock(&load->lock);
    }
    pthread_mutex_unlock(&load->lock);
    return 0;
}

void load_stop(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    load->stopping = 1;
    pthread_mutex_unlock(&load->lock);
    wake(load);
}

void load_totals(struct load *load, struct totals *totals)
{
    pthread_mutex_lock(&load->lock);
    *totals = load->totals;
    totals->lost = load->lost_by_the_gone;
    for (int number = 0; number < load->peer_count; number++)
        for (int place = 0; load->peers[number] && place < load->peers[number]->arrivals_count; place++)
            totals->lost += lost_of(&load->peers[number]->arrivals[place]);
    pthread_mutex_unlock(&load->lock);
}

int load_arrivals(struct load *load, int number, uint32_t ssrc, struct arrivals *arrivals)
{
    int found = 0;
    pthread_mutex_lock(&load->lock);
    struct peer *peer = load->peers[number];
    for (int place = 0; peer && place < peer->arrivals_count; place++)
        if (peer->arrivals[place].ssrc == ssrc)
            *arrivals = peer->arrivals[place], found = 1;
    pthread_mutex_unlock(&load->lock);
    return found;
}

uint64_t load_sent(struct load *load, int place)
{
    pthread_mutex_lock(&load->lock);
    uint64_t packets = load->streams[place]->packets;
    pthread_mutex_unlock(&load->lock);
    return packets;
}

void load_clear_delays(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    memset(load->delays, 0, sizeof load->delays);
    load->totals.latest_ns = 0;
    pthread_mutex_unlock(&load->lock);
}

uint32_t load_delay_buckets(struct load *load, uint32_t *counts, uint32_t most)
{
    uint32_t count = most < DELAY_BUCKETS ? most : DELAY_BUCKETS;
    pthread_mutex_lock(&load->lock);
    memcpy(counts, load->delays, count * sizeof *counts);
    pthread_mutex_unlock(&load->lock);
    return count;
}
