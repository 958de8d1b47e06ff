/* What Python calls (cffi reads this file): publishers and viewers whose ICE and DTLS Python has done already. */

struct load;

struct stream_plan { /* a stream that a peer sends */
    uint32_t ssrc;
    uint32_t clock_rate;
    uint32_t frames_per_s;
    uint32_t packets_per_frame;
    uint32_t payload_octets; /* of each packet, payload descriptor included */
    uint32_t begin_after_us; /* so that not everybody sends at one instant */
    double spread;           /* the share of a frame's interval in which its packets leave */
    uint8_t payload_type;
    uint8_t video; /* VP8's descriptor and frame headers; otherwise taken for sound, with a level */
    uint8_t mid_id, send_time_id, level_id; /* header extensions, 0: none */
    uint8_t mid_length;
    uint8_t mid[16];
};

struct arrivals { /* a stream that a peer is sent, counted by its clear RTP header */
    uint32_t ssrc;
    int32_t source; /* place of the stream it is a copy of, -1: not known (yet) */
    uint8_t retransmission;
    uint16_t delta; /* its sequence number less the packet's number in the source */
    uint64_t first, highest; /* sequence numbers without wrap */
    uint64_t packets, octets, late;
    uint64_t told_expected, told_packets; /* in the last receiver report */
    uint32_t last_sr;
    int64_t last_sr_at_ns;
};

struct totals { /* sums over all peers since the beginning */
    uint64_t packets, octets, lost, late, retransmissions, unknown;
    uint64_t sent, send_failed, nacks, keyframe_requests, keyframes;
    uint64_t reports_in, reports_out, handed_on, undeciphered, strays;
    uint64_t latest_ns; /* how late a packet of a publisher left, at most, since load_clear_delays */
    uint64_t cpu_ns;    /* of the thread in load_run */
};

/* srtp_protect, srtp_protect_rtcp, srtp_unprotect, srtp_unprotect_rtcp of one libsrtp; STUN and DTLS go to `others`,
   a datagram socket, as the peer's number (4 octets, this machine's order) and the datagram. NULL: no memory. */
struct load *load_new(void *protect, void *protect_rtcp, void *unprotect, void *unprotect_rtcp, int others);
void load_free(struct load *load);

int load_add_peer(struct load *load, int socket, void *srtp_out, void *srtp_in, uint32_t receives_bps);
void load_remove_peer(struct load *load, int peer);
int load_add_stream(struct load *load, int peer, const struct stream_plan *plan);
void load_set_sending(struct load *load, int stream, int sends);
void load_expect(struct load *load, int peer, uint32_t ssrc, int retransmission);

int load_run(struct load *load); /* until load_stop; without Python's lock */
void load_stop(struct load *load);

void load_totals(struct load *load, struct totals *totals);
int load_arrivals(struct load *load, int peer, uint32_t ssrc, struct arrivals *arrivals);
uint64_t load_sent(struct load *load, int stream);
void load_clear_delays(struct load *load);
uint32_t load_delay_buckets(struct load *load, uint32_t *counts, uint32_t most); /* of 20 us each */
