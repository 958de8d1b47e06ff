/* What Python and C say to each other. Read twice: by the compiler (from _fanout.c) and by cffi
   (scripts/build_fanout.py), so it holds plain declarations and no preprocessor. */

enum {
    MAX_QUEUED = 4096,        /* as fanout.MAX_QUEUED */
    MAX_PACKET_OCTETS = 1500, /* as srtp.MAX_PACKET_OCTETS */
    MAX_RUN_DATAGRAMS = 32,   /* as udp.MAX_RUN_DATAGRAMS: half of what the kernel takes as one message */
    MAX_RUN_OCTETS = 60000,   /* as udp.MAX_RUN_OCTETS */
    SENT_LOG_PACKETS = 2048,  /* as sent_log.SENT_LOG_PACKETS */
    INTAKE_MESSAGES = 16,     /* what one call takes in */
    MAX_DATAGRAM_OCTETS = 2048, /* as udp.MAX_DATAGRAM_OCTETS: what is longer comes in cut off */
    INTAKE_DATAGRAMS = 2048   /* 16 trains of 128, the longest that the kernel makes */
};

/* Mirror of server.sfu.flows.Flow; it stands in Flow.sent and is freed with the flow. */
struct flow {
    uint64_t packets;
    uint64_t octets;
    uint32_t ssrc;
    uint32_t timestamp_delta;
    uint16_t seq_delta;
    uint16_t pid_delta;
    uint8_t tl0_delta;
    uint8_t payload_type;
    uint8_t vp8;
    uint8_t abs_send_time_id;
    uint8_t level_id;
    uint8_t level_from_id;
    uint8_t mid_id;
    uint8_t mid_length;
    uint8_t mid[16];
    uint8_t transport_cc_id;
    uint32_t *log_next_number; /* the arrays of Flow.sent_log, one log for all flows to a viewer; NULL: it has none */
    double *log_sent_at;
    uint32_t *log_octets;
};

/* One who is sent to: its libsrtp session, its address, and what waits to be sent there. */
struct viewer {
    void *srtp;
    uint8_t address[28]; /* struct sockaddr_in or sockaddr_in6 */
    uint32_t address_length;
    uint32_t segments_below; /* this path refuses runs of datagrams of so many octets or more: see recover */
    uint32_t waiting;
    uint32_t first, last;
};

/* Who gets a copy, and how it is rewritten. No viewer: nobody is registered there. */
struct copy {
    struct flow *flow;
    struct viewer *viewer;
};

/* An incoming packet as rtp.packet.RtpView knows it. */
struct packet {
    const uint8_t *data;
    uint32_t length;
    uint32_t payload_offset;
    uint32_t payload_end;
    uint32_t extensions_offset; /* 0: there are none */
    uint32_t one_byte;
    uint32_t marker;
    uint32_t sequence;
    uint32_t timestamp;
    uint32_t abs_send_time; /* of the copies, 24 bits */
    double now;
};

/* Sums since the start. Drops by the reasons that docs and /metrics know. */
struct counts {
    uint64_t packets;
    uint64_t octets;
    uint64_t messages; /* what the kernel was given: a segmented run is one */
    uint64_t not_connected;
    uint64_t oversize;
    uint64_t srtp_repeated;
    uint64_t srtp_malformed;
    uint64_t send_blocked;
    uint64_t send_failed;
};

struct fanout;

/* libsrtp's srtp_protect(session, packet, length in and out); 0 is success. */
typedef int protect_call(void *, void *, int *);

struct fanout *fanout_new(protect_call *protect);
void fanout_free(struct fanout *fanout);
struct counts *fanout_counts(struct fanout *fanout);

int fanout_forward(struct fanout *fanout, const uint8_t *data, uint32_t length, uint32_t payload_offset,
                   uint32_t payload_end, uint32_t extensions_offset, int one_byte, int marker, uint32_t sequence,
                   uint32_t timestamp, const struct copy *copies, int first, int count, uint32_t abs_send_time,
                   double now);
int fanout_flush(struct fanout *fanout, int fd, int can_segment);
void fanout_forget(struct fanout *fanout, struct viewer *viewer);

/* One datagram as it came in; both pointers are good until the next intake_receive. */
struct datagram {
    const char *data;
    const char *address; /* struct sockaddr_in or sockaddr_in6 */
    uint32_t octets;
    uint32_t address_octets;
};

struct intake;

struct intake *intake_new(void);
void intake_free(struct intake *intake);
struct datagram *intake_datagrams(struct intake *intake);
int intake_keep_trains(int fd);
int intake_receive(struct intake *intake, int fd, int *drained);

const char *fanout_source_digest(void);
