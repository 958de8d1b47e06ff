/* How an outgoing packet is made from an incoming one. server/sfu/rewrite.py is THE reference, to the byte; what is
   odd here is odd there. Nothing in a packet is believed: every octet read lies before payload_end. */

struct vp8_fields {
    int picture_id_offset; /* from the packet's first octet; -1: not there */
    int wide_picture_id;
    int picture_id;
    int tl0_offset;
    int tl0_picture_index;
};

/* What is found out once for a packet, however many copies are made. */
struct reading {
    const struct packet *packet;
    int vp8_is_read;
    struct vp8_fields vp8;
    int level_from_id; /* whose value `level` is; -1: none looked up yet */
    int level;         /* -1: absent */
};

#define HEADER_OCTETS 12
#define MAX_EXTENSION_OCTETS (4 + 28) /* MID 17, audio level 2, abs-send-time 4, transport-wide number 3, padded */

static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* rtp.vp8.parse_descriptor: RFC 7741 4.2. Nothing is there where it runs over the end. */
static struct vp8_fields read_vp8(const struct packet *packet) {
    static const struct vp8_fields nothing = {-1, 0, 0, -1, 0};
    const uint8_t *data = packet->data;
    const uint32_t end = packet->payload_end;
    uint32_t at = packet->payload_offset;
    struct vp8_fields found = nothing;
    if (at >= end)
        return nothing;
    if (!(data[at++] & 0x80))
        return nothing; /* no field that could be rewritten */
    if (at >= end)
        return nothing;
    const uint8_t present = data[at++];
    if (present & 0x80) {
        if (at >= end)
            return nothing;
        found.picture_id_offset = (int)at;
        found.picture_id = data[at++];
        if (found.picture_id & 0x80) {
            if (at >= end)
                return nothing;
            found.wide_picture_id = 1;
            found.picture_id = (found.picture_id & 0x7F) << 8 | data[at++];
        }
    }
    if (present & 0x40) {
        if (at >= end)
            return nothing;
        found.tl0_offset = (int)at;
        found.tl0_picture_index = data[at++];
    }
    if (present & 0x30 && at >= end)
        return nothing;
    return found;
}

/* rtp.extensions.find_extension, the first octet of the value: RFC 8285 4.2 and 4.3. -1: absent, cut short or empty. */
static int first_octet_of_extension(const struct packet *packet, uint32_t wanted_id) {
    const uint8_t *data = packet->data;
    const uint32_t end = packet->payload_offset;
    uint32_t at = packet->extensions_offset;
    if (at == 0)
        return -1;
    while (at < end) {
        const uint8_t head = data[at];
        uint32_t id, value, next;
        if (head == 0) {
            at++;
            continue;
        }
        if (packet->one_byte) {
            id = head >> 4;
            if (id == 15)
                return -1;
            value = at + 1;
            next = value + (head & 0x0F) + 1;
        } else {
            if (at + 2 > end)
                return -1;
            id = head;
            value = at + 2;
            next = value + data[at + 1];
        }
        if (next > end)
            return -1;
        if (id == wanted_id)
            return next > value ? data[value] : -1;
        at = next;
    }
    return -1;
}

static int incoming_level(struct reading *reading, uint8_t from_id) {
    if (reading->level_from_id != from_id) {
        reading->level = first_octet_of_extension(reading->packet, from_id);
        reading->level_from_id = from_id;
    }
    return reading->level;
}

/* MID, audio level, abs-send-time, transport-wide number, in this order; 0 octets where the flow has none of them. */
static uint32_t write_extensions(uint8_t *out, struct reading *reading, const struct flow *flow,
                                 uint32_t transport_number) {
    uint8_t *at = out + 4;
    if (flow->mid_id) {
        *at++ = (uint8_t)(flow->mid_id << 4 | (flow->mid_length - 1));
        memcpy(at, flow->mid, flow->mid_length);
        at += flow->mid_length;
    }
    if (flow->level_id) {
        const int level = incoming_level(reading, flow->level_from_id);
        if (level >= 0) {
            *at++ = (uint8_t)(flow->level_id << 4);
            *at++ = (uint8_t)level;
        }
    }
    if (flow->abs_send_time_id) {
        put32(at, (uint32_t)flow->abs_send_time_id << 28 | 2u << 24 | reading->packet->abs_send_time);
        at += 4;
    }
    if (flow->transport_cc_id) {
        *at = (uint8_t)(flow->transport_cc_id << 4 | 1);
        put16(at + 1, transport_number);
        at += 3;
    }
    if (at == out + 4)
        return 0;
    while ((at - out) & 3)
        *at++ = 0;
    put16(out, 0xBEDE);
    put16(out + 2, (uint32_t)(at - out - 4) >> 2);
    return (uint32_t)(at - out);
}

static void rewrite_vp8(uint8_t *payload, struct reading *reading, const struct flow *flow) {
    if (!reading->vp8_is_read) {
        reading->vp8 = read_vp8(reading->packet);
        reading->vp8_is_read = 1;
    }
    const struct vp8_fields *fields = &reading->vp8;
    const int start = (int)reading->packet->payload_offset;
    if (fields->picture_id_offset >= 0) {
        uint8_t *at = payload + (fields->picture_id_offset - start);
        const uint32_t picture_id = (uint32_t)fields->picture_id + flow->pid_delta;
        if (fields->wide_picture_id)
            put16(at, 0x8000 | (picture_id & 0x7FFF));
        else
            *at = picture_id & 0x7F;
    }
    if (fields->tl0_offset >= 0)
        payload[fields->tl0_offset - start] = (uint8_t)(fields->tl0_picture_index + flow->tl0_delta);
}

/* One complete RTP packet at `out`, which has room for `room` octets. Returns its length, 0 where it is longer. */
static uint32_t write_copy(uint8_t *out, uint32_t room, struct reading *reading, const struct flow *flow,
                           uint32_t transport_number) {
    const struct packet *packet = reading->packet;
    const uint32_t payload_octets = packet->length - packet->payload_offset;
    uint8_t extensions[MAX_EXTENSION_OCTETS];
    const uint32_t extension_octets = write_extensions(extensions, reading, flow, transport_number);
    const uint32_t octets = HEADER_OCTETS + extension_octets + payload_octets;
    if (payload_octets > room || octets > room)
        return 0;
    out[0] = (uint8_t)(0x80 | (packet->data[0] & 0x20) | (extension_octets ? 0x10 : 0));
    out[1] = (uint8_t)((packet->marker ? 0x80 : 0) | flow->payload_type);
    put16(out + 2, packet->sequence + flow->seq_delta);
    put32(out + 4, packet->timestamp + flow->timestamp_delta);
    put32(out + 8, flow->ssrc);
    memcpy(out + HEADER_OCTETS, extensions, extension_octets);
    uint8_t *payload = out + HEADER_OCTETS + extension_octets;
    memcpy(payload, packet->data + packet->payload_offset, payload_octets);
    if (flow->vp8)
        rewrite_vp8(payload, reading, flow);
    return octets;
}
