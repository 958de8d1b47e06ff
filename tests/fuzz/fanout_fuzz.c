/* Packets and flows of every kind for the C fan-out, as fast as a core goes. Built for libFuzzer by clang:
       clang -g -O1 -fsanitize=fuzzer,address,undefined -Iserver/transport tests/fuzz/fanout_fuzz.c -o fanout_fuzz
   or with -DSTANDALONE by any compiler: `fanout_fuzz ROUNDS SEED`, or `fanout_fuzz FILE...` to see a crash again. */

#include "_fanout.c"

#include <stdio.h>

#define VIEWERS 3
#define FLOWS 6
#define TAG_OCTETS 16

static void must(int is_so, const char *what) {
    if (!is_so) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

/* In libsrtp's place: refuses some packets, and writes behind the others as it does. */
static int protect(void *session, void *packet, int *octets) {
    const uint8_t *bytes = packet;
    must(*octets >= HEADER_OCTETS && *octets <= MAX_PACKET_OCTETS, "a packet has a header and is not oversize");
    must((bytes[0] & 0xCF) == 0x80 && session != NULL, "version 2, no CSRC, a session");
    if (bytes[3] % 8 == 7)
        return bytes[3] & 8 ? 9 : 1;
    memset((uint8_t *)packet + *octets, 0xEE, TAG_OCTETS);
    *octets += TAG_OCTETS;
    return 0;
}

struct input {
    const uint8_t *data;
    size_t size;
};

static uint32_t draw(struct input *input, int octets) {
    uint32_t value = 0;
    while (octets-- > 0) {
        value = value << 8 | (input->size ? *input->data : 0);
        if (input->size)
            input->data++, input->size--;
    }
    return value;
}

static void draw_flow(struct input *input, struct flow *flow, uint32_t *next, double *sent_at, uint32_t *octets) {
    const uint32_t ids = draw(input, 2), more = draw(input, 1);
    *flow = (struct flow){.ssrc = draw(input, 1),
                          .timestamp_delta = draw(input, 4),
                          .seq_delta = (uint16_t)draw(input, 2),
                          .pid_delta = draw(input, 2) & 0x7FFF,
                          .tl0_delta = (uint8_t)draw(input, 1),
                          .payload_type = draw(input, 1) & 0x7F,
                          .vp8 = more & 1,
                          .abs_send_time_id = ids % 15,
                          .level_id = ids / 15 % 15,
                          .level_from_id = (uint8_t)draw(input, 1),
                          .mid_id = ids / 225 % 15,
                          .mid_length = (uint8_t)(1 + more / 2 % 16),
                          .transport_cc_id = ids / 3375 % 15};
    if (more & 0x80) {
        flow->log_next_number = next;
        flow->log_sent_at = sent_at;
        flow->log_octets = octets;
    }
}

/* What no rewrite may touch: the payload but for VP8's three fields lies behind the header as it came. */
static void check_copy(const struct packet *packet, const struct flow *flow) {
    uint8_t out[MAX_PACKET_OCTETS];
    struct reading reading = {.packet = packet, .level_from_id = -1};
    const uint32_t payload_octets = packet->length - packet->payload_offset;
    const uint32_t octets = write_copy(out, sizeof out, &reading, flow, 0xABCD);
    if (octets == 0)
        return;
    const uint32_t start = octets - payload_octets;
    must(octets >= payload_octets && start % 4 == 0 && start <= HEADER_OCTETS + MAX_EXTENSION_OCTETS, "a header");
    uint32_t changed = 0;
    for (uint32_t at = 0; at < payload_octets; at++)
        changed += out[start + at] != packet->data[packet->payload_offset + at];
    must(changed <= (flow->vp8 ? 3 : 0), "the payload is the sender's");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint32_t next_number, log_octets[SENT_LOG_PACKETS];
    static double log_sent_at[SENT_LOG_PACKETS];
    static struct fanout *fanout;
    struct input input = {data, size};
    struct flow flows[FLOWS];
    struct viewer viewers[VIEWERS];
    struct copy copies[FLOWS];
    if (fanout == NULL)
        must((fanout = fanout_new(protect)) != NULL, "memory");
    for (int number = 0; number < VIEWERS; number++)
        viewers[number] = (struct viewer){.srtp = viewers, .address_length = 16, .segments_below = number ? 2000 : 50};
    const int count = (int)(draw(&input, 1) % FLOWS + 1);
    for (int number = 0; number < count; number++) {
        draw_flow(&input, &flows[number], &next_number, log_sent_at, log_octets);
        const uint32_t viewer = draw(&input, 1) % (VIEWERS + 1);
        copies[number] = (struct copy){&flows[number], viewer < VIEWERS ? &viewers[viewer] : NULL};
    }
    for (int packets = (int)(draw(&input, 1) % 8); packets >= 0; packets--) {
        /* Its own memory to the octet, so that a look beyond it is seen. */
        const uint32_t length = draw(&input, 1) & 1 ? 12 + draw(&input, 1) % 64 : draw(&input, 2) % 1600;
        uint8_t *octets = malloc(length ? length : 1);
        for (uint32_t at = 0; at < length; at++)
            octets[at] = (uint8_t)draw(&input, 1);
        const struct packet packet = {.data = octets,
                                      .length = length,
                                      .payload_offset = draw(&input, 1) & 3 ? 12 + draw(&input, 1) % 48 : draw(&input, 2),
                                      .payload_end = length - draw(&input, 1) % 4 * (draw(&input, 1) % 32),
                                      .extensions_offset = draw(&input, 1) % 48,
                                      .one_byte = draw(&input, 1) & 1,
                                      .marker = draw(&input, 1) & 1,
                                      .sequence = draw(&input, 2),
                                      .timestamp = draw(&input, 4)};
        const int done = fanout_forward(fanout, octets, length, packet.payload_offset, packet.payload_end,
                                        packet.extensions_offset, (int)packet.one_byte, (int)packet.marker,
                                        packet.sequence, packet.timestamp, copies, 0, count, draw(&input, 3), 1.5);
        must(done == count || done == -1, "there is room for so few");
        for (int number = 0; done >= 0 && number < count; number++)
            check_copy(&packet, &flows[number]);
        free(octets);
    }
    if (draw(&input, 1) & 1)
        fanout_forget(fanout, &viewers[0]);
    fanout_flush(fanout, -1, (int)(draw(&input, 1) & 1)); /* no socket: every message is refused and counted */
    for (int number = 0; number < VIEWERS; number++)
        must(viewers[number].waiting == 0, "nothing waits after a flush");
    return 0;
}

#ifdef STANDALONE
static uint64_t state;

static uint8_t noise(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    /* Small numbers and set high bits are what descriptors and extensions are made of. */
    const uint8_t octet = (uint8_t)(state >> 24);
    return (state & 3) == 0 ? octet & 0x0F : (state & 3) == 1 ? octet | 0x80 : octet;
}

static int replay(const char *path) {
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return 1;
    const size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    return LLVMFuzzerTestOneInput(data, size);
}

int main(int count, char **words) {
    static uint8_t data[4096];
    if (count == 3 && (state = strtoull(words[2], NULL, 10)) != 0) {
        for (long rounds = strtol(words[1], NULL, 10); rounds > 0; rounds--) {
            for (size_t at = 0; at < sizeof data; at++)
                data[at] = noise();
            LLVMFuzzerTestOneInput(data, (size_t)(noise() << 4 | noise()));
        }
        return 0;
    }
    for (int place = 1; place < count; place++)
        if (replay(words[place]))
            return 1;
    return count < 2;
}
#endif
