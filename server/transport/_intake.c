/* The way in: many datagrams by one recvmmsg, and trains that the kernel kept together (UDP_GRO) cut apart again.
   server/transport/udp.py's PythonIntake is the reference. */

#ifndef UDP_GRO
#define UDP_GRO 104 /* linux/udp.h, Linux 5.0 */
#endif

#define TRAIN_OCTETS 65536 /* no message is longer */

union train_control {
    struct cmsghdr header; /* for its alignment */
    char octets[CMSG_SPACE(sizeof(int))];
};

struct intake {
    struct mmsghdr messages[INTAKE_MESSAGES];
    struct iovec buffers[INTAKE_MESSAGES];
    union train_control controls[INTAKE_MESSAGES];
    char addresses[INTAKE_MESSAGES][28];
    struct datagram datagrams[INTAKE_DATAGRAMS];
    char octets[INTAKE_MESSAGES][TRAIN_OCTETS];
};

struct intake *intake_new(void) { return malloc(sizeof(struct intake)); }

void intake_free(struct intake *intake) { free(intake); }

struct datagram *intake_datagrams(struct intake *intake) { return intake->datagrams; }

/* Ask the kernel to keep trains of datagrams together. 0 is success. */
int intake_keep_trains(int fd) {
    const int yes = 1;
    return setsockopt(fd, SOL_UDP, UDP_GRO, &yes, sizeof yes);
}

static void prepare(struct intake *intake) {
    for (int number = 0; number < INTAKE_MESSAGES; number++) {
        intake->buffers[number] = (struct iovec){intake->octets[number], TRAIN_OCTETS};
        intake->messages[number].msg_hdr = (struct msghdr){.msg_name = intake->addresses[number],
                                                           .msg_namelen = sizeof intake->addresses[number],
                                                           .msg_iov = &intake->buffers[number],
                                                           .msg_iovlen = 1,
                                                           .msg_control = &intake->controls[number],
                                                           .msg_controllen = sizeof intake->controls[number]};
    }
}

/* The length of a train's datagrams but the last; the message's own where it is none. */
static uint32_t segment_octets(struct mmsghdr *message) {
    for (struct cmsghdr *control = CMSG_FIRSTHDR(&message->msg_hdr); control != NULL;
         control = CMSG_NXTHDR(&message->msg_hdr, control)) {
        int octets = 0;
        if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO)
            continue;
        memcpy(&octets, CMSG_DATA(control), sizeof octets);
        if (octets > 0)
            return (uint32_t)octets;
    }
    return message->msg_len;
}

/* Take what is there: the number of datagrams, in the order they came; `drained`: there is no more for now.
   -1: an error of the socket, an ICMP message's mostly. */
int intake_receive(struct intake *intake, int fd, int *drained) {
    int taken, count = 0;
    prepare(intake);
    do
        taken = recvmmsg(fd, intake->messages, INTAKE_MESSAGES, MSG_DONTWAIT, NULL);
    while (taken < 0 && errno == EINTR);
    *drained = taken < INTAKE_MESSAGES;
    if (taken < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    for (int number = 0; number < taken && count < INTAKE_DATAGRAMS; number++) {
        struct mmsghdr *message = &intake->messages[number];
        const uint32_t segment = segment_octets(message);
        uint32_t at = 0;
        do { /* an empty datagram is one, too */
            const uint32_t left = message->msg_len - at;
            const uint32_t octets = left < segment ? left : segment;
            intake->datagrams[count++] =
                (struct datagram){.data = intake->octets[number] + at,
                                  .address = intake->addresses[number],
                                  .octets = octets < MAX_DATAGRAM_OCTETS ? octets : MAX_DATAGRAM_OCTETS,
                                  .address_octets = message->msg_hdr.msg_namelen};
            at += octets;
        } while (at < message->msg_len && count < INTAKE_DATAGRAMS);
    }
    return count;
}
